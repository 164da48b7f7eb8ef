"""When a job starts and ends, and when a queue is empty or a batch through, if nothing new comes.

The slots of the servers that take a queue work off what runs, then what waits: in the queues that they take before it,
and in itself. The range is what the spread of the run times makes of that.
"""

from __future__ import annotations

import heapq
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import sqrt

from django.db.models import Case, Q, QuerySet, Value, When

from .. import clock, monitoring, queues, states
from ..conf import settings
from ..models import Batch, Job, Server
from ..policies import batches
from .lasting import Lasting, duration, lasting
from .spans import NOW, Span, latest

LOOK = 2000
"""Waiting jobs of a queue whose types are looked at; those behind them are taken to be like them."""
NINE_OF_TEN = 1.645
"""Standard deviations on both sides that hold nine of ten."""
MOSTLY = 0.8
"""Share of the jobs whose types must be known."""
PATIENCE, SLACK = 2.0, 5.0
"""How many times as long as reckoned, and how many seconds more, the first of a queue may have waited."""
BLINK = 0.5
"""Seconds that may pass between two hands without anything being wrong."""
SMALL = 1000
"""Jobs up to which slots are followed one by one."""


@dataclass
class Crew:
    """The live servers that take a queue: their slots, the queues that they take before it, and their workers."""

    slots: int = 0
    before: set[str] = field(default_factory=set)
    servers: list[int] = field(default_factory=list)


@dataclass
class Work:
    """Jobs by type, and how many more there are than were looked at."""

    types: Tally[str] = field(default_factory=Tally)
    number: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(self.types + other.types, self.number + other.number)


def crew(queue: str) -> Crew:
    """Who takes the queue now; no slots where nobody does, or where it is paused."""
    found = Crew()
    if queue in monitoring.paused_queues():
        return found
    for pk, slots, taken in monitoring.live_servers().filter(wanted="").values_list("pk", "slots", "queues"):
        if queue in taken:
            found.slots += slots
            found.servers.append(pk)
            found.before.update(taken[: taken.index(queue)])
    return found


def drains() -> dict[str, Span | None]:
    """`drain` of each of the site's queues."""
    return {queue: drain(queue) for queue in queues.names()}


def drain(queue: str) -> Span | None:
    """Seconds until nothing waits in the queue any more; None where nobody takes it, or too little is known."""
    waiting = _enqueued(queue)
    return _start(queue, waiting, crew(queue)) if waiting.exists() else NOW


def start(job: Job) -> Span | None:
    """Seconds until a Scheduled or Enqueued job starts; None for other states, and where it cannot be told."""
    if job.state == states.SCHEDULED and job.scheduled_at is not None:
        due = max(0.0, (job.scheduled_at - clock.now()).total_seconds())
        return Span(due, due, due + BLINK) if crew(job.queue).slots else None
    if job.state != states.ENQUEUED:
        return None
    return _start(job.queue, _enqueued(job.queue).filter(_ahead_of(job)), crew(job.queue))


def end(job: Job) -> Span | None:
    """Seconds until the job's next, or present, run ends."""
    if job.state == states.PROCESSING:
        known = lasting([job.job_type]).get(job.job_type)
        return _rest(known, job, clock.now()) if known else None
    begins, takes = start(job), duration(job.job_type)
    return begins + takes if begins and takes else None


def batch_end(batch: Batch) -> Span | None:
    """Seconds until every member has ended; None where one waits for a person, for others, or cannot be told."""
    open_states = set(states.ALL) - states.FINAL
    members = monitoring.jobs().filter(batch__in=batches.with_parts(batch.pk), state__in=open_states)
    found = set(members.order_by().values_list("state", "queue").distinct())
    if not found or {state for state, _ in found} & {states.FAILED, states.PAUSED, states.AWAITING}:
        return None
    spans = [_running_end(members.filter(state=states.PROCESSING))]
    for state, queue in found:
        last = LAST[state](members.filter(state=state, queue=queue)) if state in LAST else None
        spans += [end(last)] if last else []
    return latest([one for one in spans if one]) if all(spans) else None


def _last_due(scheduled: QuerySet[Job]) -> Job | None:
    return scheduled.order_by("-scheduled_at", "-id").first()


def _last_enqueued(enqueued: QuerySet[Job]) -> Job | None:
    """The newest of the lowest band that has any; what was delayed once keeps its time, which says nothing here."""
    band = Case(*(When(priority__gte=low, then=Value(place)) for place, (low, _) in enumerate(queues.BANDS)))
    return enqueued.order_by(band.desc(), "-id").first()


LAST = {states.SCHEDULED: _last_due, states.ENQUEUED: _last_enqueued}
"""Which of the members of a queue that are in one state starts last."""


def _running_end(running: QuerySet[Job]) -> Span | None:
    rows = list(running[:LOOK])
    known = lasting(row.job_type for row in rows)
    now = clock.now()
    if any(row.job_type not in known for row in rows):
        return None
    return latest([NOW, *(_rest(known[row.job_type], row, now) for row in rows)])


def _rest(known: Lasting, job: Job, now: datetime) -> Span:
    """What is left of a run that goes on."""
    spent = (now - (job.started_at or job.state_at)).total_seconds()
    span = known.span
    return Span(max(0.0, span.low - spent), max(0.0, known.left(spent)), max(0.0, span.high - spent, known.left(spent)))


def _enqueued(queue: str) -> QuerySet[Job]:
    return monitoring.jobs().filter(queue=queue, state=states.ENQUEUED)


def _ahead_of(job: Job) -> Q:
    """Those that come before it: of a higher band, or of the same and older."""
    lowest = next(low for low, _ in queues.BANDS if job.priority >= low)
    above = [low for low, _ in queues.BANDS if low > lowest]
    higher = Q(priority__gte=min(above)) if above else Q(pk__in=[])
    return higher | Q(priority__gte=lowest, pk__lt=job.pk)


def _start(queue: str, ahead: QuerySet[Job], took: Crew) -> Span | None:
    """Seconds until a slot is free for who comes after these."""
    if not took.slots:
        return None
    work = _work(ahead)
    for other in took.before - monitoring.paused_queues():
        work += _work(_enqueued(other))
    workers = Server.objects.using(settings.DATABASE).filter(parent__in=took.servers).values_list("name", flat=True)
    held = list(monitoring.jobs().filter(state=states.PROCESSING, worker__in=list(workers)).order_by("state_at")[:LOOK])
    known = lasting([*work.types, *(job.job_type for job in held)])
    if not _mostly_known(work.types + Tally(job.job_type for job in held), known):
        return None
    now = clock.now()
    busy = [_rest(known[job.job_type], job, now).likely for job in held[: took.slots] if job.job_type in known]
    claimed = Work(Tally(job.job_type for job in held[took.slots :]), len(held[took.slots :]))
    return _as_seen(queue, ahead, _through(work + claimed, busy, took.slots, known), now)


def _as_seen(queue: str, ahead: QuerySet[Job], by_slots: Span, now: datetime) -> Span | None:
    """The same, unless what waits first has waited so long that others must be overtaking: then the queue's pace tells.

    None where it has none.
    """
    oldest = ahead.order_by("id").values_list("state_at", flat=True).first()
    if oldest is None or (now - oldest).total_seconds() <= PATIENCE * by_slots.likely + SLACK:
        return by_slots
    pace = monitoring.pace().get(queue)
    if not pace:
        return None
    by_pace = max(by_slots.likely, monitoring.capped_count(ahead).number / pace)
    return Span(by_slots.low, by_pace, PATIENCE * max(by_pace, by_slots.high))


def _work(waiting: QuerySet[Job]) -> Work:
    number = monitoring.capped_count(waiting).number
    return Work(Tally(waiting.order_by("id").values_list("job_type", flat=True)[:LOOK]), number)


def _mostly_known(types: Mapping[str, int], known: Iterable[str]) -> bool:
    total = sum(types.values())
    return sum(types[name] for name in known if name in types) >= MOSTLY * total


def _through(work: Work, busy: Sequence[float], slots: int, known: Mapping[str, Lasting]) -> Span:
    """Seconds until the slots, of which some are busy for a while, have begun with all of the work and one is free."""
    seen = {name: number for name, number in work.types.items() if name in known}
    looked = sum(seen.values())
    if not looked:
        free = _begin([*busy, *[0.0] * (slots - len(busy))], 0, 0.0)
        return Span(0.0, free, 2 * free + BLINK)
    mean = sum(number * known[name].mean for name, number in seen.items()) / looked
    likely = _begin([*busy, *[0.0] * (slots - len(busy))], work.number, mean)
    scale = work.number / looked
    chance = sum(scale * number * known[name].deviation ** 2 for name, number in seen.items())
    doubt = sum((scale * number * known[name].deviation) ** 2 / known[name].runs for name, number in seen.items())
    off = NINE_OF_TEN * sqrt(chance + doubt) / slots
    return Span(max(0.0, likely - off), likely, likely + off + BLINK)


def _begin(free: list[float], ahead: int, each: float) -> float:
    """When the job starts that has so many ahead of it, each of which takes so long."""
    if ahead > SMALL:
        return (sum(free) + ahead * each) / len(free)
    heapq.heapify(free)
    for _ in range(ahead):
        heapq.heapreplace(free, free[0] + each)
    return free[0]
