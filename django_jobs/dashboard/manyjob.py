"""The job that does one verb to all jobs of a search: in sets, with pauses between, by the rights of who asked."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from .. import client, monitoring, queues, search, states
from ..backoff import Retry
from ..conf import settings
from ..context import JobContext
from ..decorators import job
from ..exceptions import FilterFailed, JobCancelled
from ..models import Job, JobState
from ..search import Search
from ..search.refusals import BadSearch

SET = 500
LONGEST_PAUSE = 1.0
VIEW, PAYLOAD = "django_jobs.view_job", "django_jobs.view_payload_job"
VERBS = ("requeue", "pause", "resume", "cancel", "delete")
AGAIN = (states.ENQUEUED, states.SCHEDULED)
"""States into which a job is put back by hand."""


def that_it_moves(asked: Search, verb: str, *, before: int | None = None) -> Search:
    """The jobs of the search that the verb can move; those with a number below `before`."""
    sources = ",".join(sorted(states.VERBS[verb].sources))
    own = search.compile(f"state:{sources}{f' id<{before}' if before else ''}", prefix="m")
    return Search((*asked.conditions, *own.conditions))


def told(asked: Search) -> str:
    """The search, for those who may not see payloads, too."""
    if asked.needs_payload:
        return _("a search in arguments, metadata or errors")
    return str(asked) or _("all jobs")


@job("django_jobs.act_on_many", takes_context=True, retry=Retry(except_on=[PermissionDenied, BadSearch]))
def act_on_many(ctx: JobContext, verb: str, asked: str) -> dict[str, int]:
    """Do the verb to every job that matches and was there before this one. It can be paused, and goes on after it."""
    if verb not in VERBS:
        raise BadSearch(verb, f"a verb is expected: {', '.join(VERBS)}")
    this = monitoring.get(ctx.id)
    by, found = _allowed(this, verb, asked)
    tally: dict[str, Any] = ctx.state or {"at": None, "moved": 0, "refused": 0}
    try:
        _go_through(ctx, verb, that_it_moves(found, verb, before=ctx.id), by, tally)
    except JobCancelled:
        _log(this, by, _("Was stopped after %(moved)d jobs") % tally)
        raise
    _log(this, by, _("Moved %(moved)d jobs by %(verb)s: %(asked)s") % {**tally, "verb": verb, "asked": told(found)})
    return {"moved": tally["moved"], "refused": tally["refused"]}


def _allowed(this: Job, verb: str, asked: str) -> tuple[Any, Search]:
    """Who asked for it, and the search as he may make it: without payloads, words are not looked for in reasons.

    Raises PermissionDenied where he may not do that (any more).
    """
    user, name = _asker(this)
    missing = [name for name in (VIEW, states.VERBS[verb].permission) if user is None or not user.has_perm(name)]
    try:
        found = search.compile(asked, payload=user is not None and user.has_perm(PAYLOAD))
    except BadSearch as error:
        if not error.hidden:
            raise
        missing.append(PAYLOAD)
    if user is None or missing:
        raise PermissionDenied(f"{name or 'Nobody'} asked for it, without the right to: {missing}")
    return user, found


def _asker(this: Job) -> tuple[Any, str]:
    """The user by whom it was started, and his name: who requeued it asks for it anew, with his own rights."""
    users = get_user_model()._default_manager
    moves = JobState.objects.using(settings.DATABASE).filter(job=this.pk, name__in=AGAIN).order_by("-pk")
    for reason, data in moves.values_list("reason", "data"):
        if reason.startswith(("Requeued by ", "Rescheduled by ")):
            name = data.get("by", "")
            return users.filter(**{get_user_model().USERNAME_FIELD: name}).first(), name
    user = users.filter(pk=this.created_by_id).first() if this.created_by_id else None
    return user, this.created_by_name


def _go_through(ctx: JobContext, verb: str, found: Search, by: Any, tally: dict[str, Any]) -> None:
    """Set by set, the newest first. After each it rests as long as that took, so that others have their half."""
    way = search.walk(monitoring.jobs().only("pk").order_by(), found)
    expected = search.bounded_count(way, seconds=1.0)
    bar = ctx.progress_bar("jobs", None if expected.capped else tally["moved"] + expected.number)
    while True:
        began = time.monotonic()
        page = search.page(way, tally["at"] and tuple(tally["at"]), size=SET, seconds=1.0)
        ids = [one.pk for one in page.jobs]
        moved, refused = _moved(verb, ids, by, found.within)
        tally |= {"at": page.next, "moved": tally["moved"] + moved, "refused": tally["refused"] + refused}
        bar.advance(len(ids))
        ctx.checkpoint(tally)
        if page.next is None:
            return
        time.sleep(min(LONGEST_PAUSE, time.monotonic() - began))


def _moved(verb: str, ids: list[int], by: Any, expected: Collection[str]) -> tuple[int, int]:
    """How many moved, and how many a filter refused: a set with one of those is halved until it is alone.

    Those that have left the `expected` states since they were found are left alone.
    """
    if not ids:
        return 0, 0
    try:
        return len(client.verb(verb)(ids, by=by, expected=expected)), 0
    except FilterFailed:
        if len(ids) == 1:
            return 0, 1
        middle = len(ids) // 2
        first, second = (_moved(verb, half, by, expected) for half in (ids[:middle], ids[middle:]))
        return first[0] + second[0], first[1] + second[1]


def _log(this: Job, by: Any, text: str) -> None:
    LogEntry.objects.log_actions(by.pk, [this], CHANGE, text)


def start(verb: str, asked: Search, by: Any, expected: monitoring.Count) -> Job:
    """Enqueue it, ahead of what waits, in a queue that is not paused, and write down who asked for what."""
    paused = monitoring.paused_queues()
    names = [name for name in queues.names() if name not in paused] or list(queues.names())
    queue = "default" if "default" in names else names[0]
    made = act_on_many.using(queue=queue, priority=100, created_by=by).enqueue(verb, str(asked))
    facts = {"verb": verb, "expected": expected, "asked": told(asked)}
    _log(made, by, _("Asked for %(verb)s of all jobs that match, %(expected)s at that time: %(asked)s") % facts)
    return made
