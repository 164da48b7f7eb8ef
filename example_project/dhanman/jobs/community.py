"""Community service: events, visitors, maintenance."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ..models import CommunityEvent, MaintenanceRequest, Resident, VisitorPass
from ..policy import OFFICE, mail, scheduled, service_job

COMING = timedelta(days=2)
PATIENCE = timedelta(hours=4)
HIGHEST = 2


@scheduled("send-event-reminders")
@service_job("dhanman.send_event_reminders", queue="low-priority")
def send_event_reminders() -> int:
    """Remind residents of what happens within two days: a job for each resident, once for each event."""
    now, sent = timezone.now(), 0
    for event in CommunityEvent.objects.filter(reminded_at=None, at__range=(now, now + COMING)):
        with transaction.atomic():
            residents = Resident.objects.filter(active=True).values_list("pk", flat=True)
            sent += len(remind_of_event.enqueue_many((event.pk, resident) for resident in residents))
            CommunityEvent.objects.filter(pk=event.pk).update(reminded_at=now)
    return sent


@service_job("dhanman.remind_of_event", queue="low-priority")
def remind_of_event(event: CommunityEvent, resident: Resident) -> str:
    """Remind one resident of one event."""
    mail(resident.email, event.title, f"Dear {resident.name}, {event.title} is on {event.at:%d %B at %H:%M} UTC.")
    return f"reminded {resident.name}"


@scheduled("expire-visitor-passes")
@service_job("dhanman.expire_visitor_passes", queue="low-priority")
def expire_visitor_passes() -> int:
    """Close the passes whose time is over."""
    return VisitorPass.objects.filter(expired=False, valid_until__lt=timezone.now()).update(expired=True)


@scheduled("maintenance-request-escalation")
@service_job("dhanman.escalate_maintenance_requests", queue="low-priority")
def escalate_maintenance_requests() -> int:
    """Whatever nobody mended in four hours goes a level up."""
    now = timezone.now()
    old = MaintenanceRequest.objects.filter(done=False, level__lt=HIGHEST, opened_at__lt=now - PATIENCE)
    waiting = old.exclude(escalated_at__gt=now - PATIENCE)
    with transaction.atomic():
        rows = list(waiting.select_for_update().select_related(None))
        MaintenanceRequest.objects.filter(pk__in=[row.pk for row in rows]).update(
            level=F("level") + 1, escalated_at=now
        )
    if rows:
        mail(OFFICE, f"{len(rows)} request(s) wait", "\n".join(row.what for row in rows))
    return len(rows)
