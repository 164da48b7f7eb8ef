"""The leader's watch: what is new is told, what is over is told, and nothing twice."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.db.models import QuerySet

from .. import clock, monitoring
from ..conf import settings
from ..models import Alert, Server
from ..transactions import atomic
from .telling import tell
from .troubles import LOOKS, Trouble

logger = logging.getLogger("django_jobs.server")

CALM = timedelta(seconds=60)
"""How long a trouble must not have been seen to be over."""


class Watch:
    """Looks for troubles, round after round. What it noted of one that is no alert yet dies with it."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def look(self) -> None:
        """One round: raise what was seen the round before, too; end what has been away long enough."""
        now = clock.now()
        found = {trouble.key: trouble for look in LOOKS for trouble in look()}
        alerts().filter(open_key__in=list(found)).update(seen_at=now)
        told = {alert.open_key: alert for alert in open_alerts()}
        for key, trouble in found.items():
            if key not in told and key in self._seen:
                raise_alert(trouble, now)
        self._seen = set(found)
        for alert in told.values():
            if alert.open_key not in found and _is_over(alert, now):
                _end(alert, now)


def alerts() -> QuerySet[Alert]:
    return Alert.objects.using(settings.DATABASE)


def open_alerts() -> QuerySet[Alert]:
    """The troubles that last, the newest first."""
    return alerts().filter(open_key__isnull=False)


def raise_alert(trouble: Trouble, now: datetime, application: str = "", since: datetime | None = None) -> Alert | None:
    """Store a trouble, which has lasted since then or now, and tell of it, unless it is told already; None then."""
    facts = {
        "kind": trouble.kind,
        "subject": trouble.subject[:230],
        "found": trouble.found[:500],
        "remedy": trouble.remedy[:500],
        "application": application,
        "since": since or now,
        "seen_at": now,
    }
    with atomic():
        alert, is_new = alerts().get_or_create(open_key=trouble.key, defaults=facts)
        if is_new:
            tell(alert, over=False)
    if is_new:
        logger.warning("Alert: %s", alert)
    return alert if is_new else None


def server_died(row: Server) -> None:
    """A server showed no sign of life any more.

    That is over when its application has a server that began after the last one: whoever takes its place does so before
    its time-out ends.
    """
    remedy = "See its host and its log. Its jobs went back to their queues; start it again if nothing else does."
    trouble = Trouble(Alert.Kind.SERVER, f"Server {row.name}", "shows no sign of life", remedy)
    raise_alert(trouble, clock.now(), application=row.application, since=row.heartbeat_at)


def _is_over(alert: Alert, now: datetime) -> bool:
    """A dead server whose place nobody takes was retired: that is over, too, one day."""
    if alert.kind != Alert.Kind.SERVER:
        return now - alert.seen_at >= CALM
    if now - alert.since >= Alert.KEPT:
        return True
    return monitoring.live_servers().filter(application=alert.application, started_at__gt=alert.since).exists()


def _end(alert: Alert, now: datetime) -> None:
    with atomic():
        if not open_alerts().filter(pk=alert.pk).update(open_key=None, over_at=now):
            return
        alert.open_key, alert.over_at = None, now
        tell(alert, over=True)
    logger.warning("Over: %s", alert)
