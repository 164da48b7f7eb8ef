"""Every verb on recurring jobs. The models' verbs delegate here; the leader's tick is in `server.recurring`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from . import client, clock, events, runs, states
from .conf import settings
from .cron import CronError
from .exceptions import InvalidCron, InvalidJob, UnknownRecurringJob
from .models import Job, RecurringJob
from .states import machine
from .states.moves import Target
from .terms import TERMS, TIMES, checked, plain
from .transactions import atomic

BROKEN = 5
"""Failed looks at a broken timetable after which it is switched off."""


def rows() -> QuerySet[RecurringJob]:
    return RecurringJob.objects.using(settings.DATABASE)


def get(id: str) -> RecurringJob:
    """The recurring job of that id; raises UnknownRecurringJob."""
    found = rows().filter(pk=id).first()
    if found is None:
        raise UnknownRecurringJob(id)
    return found


def add_or_update(
    id: str, job_type: Any, /, *, source: str = "code", by: Any = None, by_decorator: bool = False, **values: Any
) -> RecurringJob:
    """Store a recurring job; see `RecurringJob.objects.add_or_update`."""
    if source not in RecurringJob.Source.values:
        raise InvalidJob("source", f'is {source!r}; give "code", "admin" or "api"')
    terms = checked(id, job_type, values)
    try:
        return _store(id, terms, source, by, by_decorator)
    except IntegrityError:  # somebody else made it at the same moment
        return _store(id, terms, source, by, by_decorator)


def _store(id: str, terms: dict[str, Any], source: str, by: Any, by_decorator: bool) -> RecurringJob:
    with atomic():
        row = rows().select_for_update().filter(pk=id).first()
        before = _image(row)
        if row is None:
            now = clock.now()
            row = RecurringJob(pk=id, source=source, since=now, created_at=now, changed_at=now, **terms)
        else:
            _take_over(row, terms, source)
        if source == RecurringJob.Source.CODE:
            row.declared = plain(terms)
            row.source = source
            row.by_decorator |= by_decorator
            row.application = settings.APPLICATION
            row.orphaned_at = None
        _write(row, before, by)
    return row


def _take_over(row: RecurringJob, terms: dict[str, Any], source: str) -> None:
    """Set the terms; code leaves alone what an operator has changed since it was last declared."""
    current, base = plain(_terms_of(row)), row.declared
    by_code = source == RecurringJob.Source.CODE
    for name, value in terms.items():
        anew = name == "enabled" and gave_up(row)
        if not by_code or anew or (base and current[name] == base.get(name, current[name])):
            setattr(row, name, value)
    if not by_code and gave_up(row) and not row.enabled:
        row.failures = 0


def gave_up(row: RecurringJob) -> bool:
    """Whether it was switched off as broken; the next declaration switches it on, unless an operator wants it off."""
    return row.failures >= BROKEN


def _terms_of(row: RecurringJob) -> dict[str, Any]:
    return {name: getattr(row, name) for name in TERMS}


def _image(row: RecurringJob | None) -> dict[str, Any]:
    return {} if row is None else {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _write(row: RecurringJob, before: dict[str, Any], by: Any) -> None:
    """Save what changed; with another timetable, or switched on anew, it goes by the clock from now on."""
    runs = row.enabled and not row.orphaned
    if any(before.get(name) != getattr(row, name) for name in (*TIMES, "enabled", "orphaned_at")):
        row.since = max(clock.now(), row.since)
        row.next_run = next_tick(row, row.since) if runs else None
        row.error, row.failures = "", 0
    if _image(row) == before:
        return
    row.changed_at = clock.now()
    row.changed_by = "" if by is None else by.get_username()[:150]
    row.save(using=settings.DATABASE, force_insert=not before)
    if row.next_run is not None and row.next_run != before.get("next_run"):
        announce(row.next_run)


def next_tick(row: RecurringJob, after: datetime) -> datetime | None:
    """The next time of its timetable; raises InvalidJob where that cannot be read (any more)."""
    try:
        return row.timetable.next(after)
    except CronError as error:
        raise InvalidCron("time_zone" if error.field == "time_zone" else "cron", error.message) from error


def announce(at: datetime) -> None:
    """Let the leader know, after the commit, that something may be due earlier than it thinks."""
    transaction.on_commit(lambda: events.publish("scheduled", at=at.timestamp()), using=settings.DATABASE, robust=True)


def change(id: str, *, by: Any = None, **values: Any) -> RecurringJob:
    """Set some terms of a recurring job, as an operator: code leaves them alone afterwards.

    The others stay as they are stored when nobody else can change them. Raises UnknownRecurringJob, InvalidJob.
    """
    with atomic():
        now = _terms_of(_locked(id))
        job_type = values.pop("job_type", now.pop("job_type"))
        return add_or_update(id, job_type, **{**now, **values}, source=RecurringJob.Source.ADMIN, by=by)


def enable(id: str, *, by: Any = None) -> RecurringJob | None:
    """Let it run from now on; one whose declaration vanished is the operator's from then on. None if it already did."""
    with atomic():
        row = _locked(id)
        if row.enabled and not row.orphaned:
            return None
        before = _image(row)
        if row.orphaned:
            row.source, row.by_decorator, row.orphaned_at = RecurringJob.Source.ADMIN, False, None
            row.declared = {}
        row.enabled = True
        _write(row, before, by)
    return row


def disable(id: str, *, by: Any = None) -> RecurringJob | None:
    """Do not run it until it is enabled; None when it already did not.

    One that was switched off as broken stays off from then on, whatever is declared.
    """
    with atomic():
        row = _locked(id)
        if not row.enabled and not gave_up(row):
            return None
        before = _image(row)
        row.enabled, row.failures = False, 0
        _write(row, before, by)
    return row


def orphan(id: str) -> None:
    """Its declaration vanished: it stops, and is kept and shown until it is declared or enabled again, or deleted."""
    with atomic():
        row = _locked(id)
        before = _image(row)
        row.orphaned_at = clock.now()
        _write(row, before, None)


def hand_over(id: str, application: str, heir: str) -> None:
    """The one application declares it no longer, the other one still does: it goes on, as that one's."""
    rows().filter(pk=id, application=application, orphaned_at=None).update(application=heir)


def _locked(id: str) -> RecurringJob:
    row = rows().select_for_update().filter(pk=id).first()
    if row is None:
        raise UnknownRecurringJob(id)
    return row


def trigger(id: str, *, by: Any = None) -> Job:
    """Enqueue a run now, beside the timetable; for a unique one whose key is taken, the job that holds it.

    Raises UnknownRecurringJob.
    """
    row, now = get(id), clock.now()
    job = runs.new_job(row, now, by=by)
    with atomic():
        stored = runs.store(job)
        rows().filter(pk=id).update(last_run=now, last_job=stored)
        if stored.state == states.SCHEDULED and stored.scheduled_at is not None:
            announce(stored.scheduled_at)
    return stored


def remove(id: str) -> bool:
    """Delete it; jobs that it has made stay. False where there is none."""
    row = rows().filter(pk=id).first()
    return row is not None and bool(row.delete(using=settings.DATABASE)[0])


@receiver(pre_delete, sender=RecurringJob, dispatch_uid="django_jobs.schedules")
def _let_go(sender: Any, instance: RecurringJob, **kwargs: Any) -> None:
    """The run that waits for the last one to end would wait for ever: nobody looks after it any more."""
    if instance.waiting_job_id is not None:
        machine.move(
            [instance.waiting_job_id], Target(states.ENQUEUED, "Its schedule was deleted"), expected={states.AWAITING}
        )


def edited(row: RecurringJob) -> list[str]:
    """Names of the terms that differ from what the code declared."""
    current = plain(_terms_of(row))
    return [name for name, value in row.declared.items() if name in current and current[name] != value]


aadd_or_update = sync_to_async(add_or_update, thread_sensitive=True)
achange = sync_to_async(change, thread_sensitive=True)
aenable = sync_to_async(enable, thread_sensitive=True)
adisable = sync_to_async(disable, thread_sensitive=True)
atrigger = sync_to_async(trigger, thread_sensitive=True)
aremove = sync_to_async(remove, thread_sensitive=True)

VERBS: dict[str, Callable[..., Any]] = {
    "add_or_update": add_or_update,
    "aadd_or_update": aadd_or_update,
    "enable": enable,
    "aenable": aenable,
    "disable": disable,
    "adisable": adisable,
    "trigger": trigger,
    "atrigger": atrigger,
    "remove": remove,
    "aremove": aremove,
    "edited": edited,
}


def verb(name: str) -> Any:
    """The function behind a verb of the models: one of these, or the client's."""
    return VERBS.get(name) or client.verb(name)
