"""What rq-scheduler keeps in Redis, and what RQ's own cron registers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .. import queues
from ..queues.elsewhere import Call, of_rq_cron, of_rq_scheduler
from . import COUNTED, Found, Unclear, cron_of_interval, job_type_of, unused_id


def read_scheduler(
    renamed: Mapping[str, str], *, time_zone: str, prefix: str = "", queue: str | None = None
) -> list[Found]:
    """The repeated jobs of rq-scheduler; `time_zone` is that of its host. Raises `queues.Unreachable`."""
    return _entries(of_rq_scheduler(), renamed, time_zone, prefix, queue)


def read_cron(path: str, renamed: Mapping[str, str], *, prefix: str = "", queue: str | None = None) -> list[Found]:
    """What a configuration file of ``rq cron`` registers. Raises Unclear for one that cannot be loaded."""
    try:
        calls = of_rq_cron(path)
    except Exception as error:
        raise Unclear(f"{path} cannot be loaded: {error}") from error
    return _entries(calls, renamed, "UTC", prefix, queue)


def _entries(
    calls: Iterable[Call], renamed: Mapping[str, str], time_zone: str, prefix: str, queue: str | None
) -> list[Found]:
    found, taken = list[Found](), set[str]()
    for call in calls:
        text = call.description or f"{call.function}({', '.join(map(repr, call.args))})"
        entry = Found(f"job {call.id}", text, unused_id(f"{prefix}{call.function or call.id}", taken))
        entry.terms = {"time_zone": time_zone if call.local_time else "UTC", "queue": queue}
        entry.terms |= {"args": call.args, "kwargs": call.kwargs}
        try:
            _fill(entry, call, renamed, queue)
        except Unclear as error:
            entry.problem = str(error)
        found.append(entry)
    return found


def _fill(entry: Found, call: Call, renamed: Mapping[str, str], queue: str | None) -> None:
    if call.problem:
        raise Unclear(call.problem)
    if call.cron:
        entry.terms["cron"] = call.cron
    elif call.interval:
        entry.terms["cron"] = cron_of_interval(call.interval)
        entry.notes.append(COUNTED)
    else:
        raise Unclear("runs once; schedule a job instead: task.schedule(moment)")
    if call.repeat:
        raise Unclear(f"runs {call.repeat} more times; give it an end by time: ends_at")
    entry.job_type = job_type_of(call.function, renamed)
    if queue is None and call.queue in queues.names():
        entry.terms["queue"] = call.queue
    elif queue is None and call.queue:
        entry.notes.append(f"went to {call.queue}, which is no queue here; it takes the queue of its job type")
