"""One run of one job: from the claimed row to how it ended. It writes nothing; the worker acknowledges in sets."""

from __future__ import annotations

import inspect
import json
import logging
import os
import sysconfig
import traceback
from collections.abc import Callable
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import Error, connections

from . import capture, clock, eventloop, middleware, signals, states
from .call import clean_text, decode_arguments, encode_result
from .context import JobContext, _current
from .control import Control, runs
from .exceptions import Cancel, FilterFailed, JobCancelled, JobInterrupted, JobStopped, MemoryLimitExceeded, Snooze
from .models import Job
from .registry import JobType, registry
from .states import elections, filters
from .states.moves import given_up
from .states.patience import patience
from .states.statements import Claimed, Finish, Then
from .timelimits import time_limit

logger = logging.getLogger("django_jobs.jobs")

TRACEBACK_LINES = 100
TRACEBACK_SIZE = 20_000

NOT_THE_SITES = (*{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}, os.path.dirname(__file__))
"""Where the code of Python, of libraries and our own is."""

Heard = Callable[[BaseException], None]


def run(job: Claimed, worker: str, on_error: Heard | None = None, *, outside: bool = False) -> Finish:
    """Run a claimed job and say how it ended. Never raises: whatever the function raises is a failure of the job.

    on_error: is given what the function raised, if that is its failure.
    outside: the caller has no transaction open, so there is none to look for that must be left alone.
    """
    started = clock.now()
    control = runs.begin((job.id, job.run))
    context = _context(job, worker, control, started)
    token = _current.set(context)
    open_before = set() if outside else _open_transactions()
    try:
        control.raise_if_cancelled()
        job_type = registry.get(job.job_type)
        if filters.chain("elect", job.job_type, states.PROCESSING) and (other := _kept_from_starting(job, started)):
            return other
        result = _call(job_type, job, context)
        return context.completed or _ended_well(job, started, result)
    except Snooze as wish:
        _flush(context)
        return _snoozed(job, started, wish)
    except JobInterrupted:
        return _put_back(job, started, states.ENQUEUED, "Put back at its checkpoint", None)
    except Cancel as wish:
        return elections.at_the_end(job, _refused(job, started, wish))
    except BaseException as error:  # noqa: BLE001  (SystemExit and CancelledError of a job end the job, not the worker)
        _drop_broken(open_before)
        if control.cancelled or isinstance(error, JobCancelled):
            return _cancelled(job, started)
        _flush(context)
        if on_error is not None:
            on_error(error)
        return failure(job, started, error)
    finally:
        runs.end((job.id, job.run))
        _current.reset(token)
        _close_left_open(open_before)


def _context(job: Claimed, worker: str, control: Control, started: datetime) -> JobContext:
    ending = partial(_ended_well, job, started)
    known = (job.id, job.job_type, job.queue, job.failures + 1, job.run, worker)
    return JobContext(*known, control=control, ending=ending, batch_id=job.batch, priority=job.priority)


def failure(job: Claimed, started: datetime, error: BaseException) -> Finish:
    """The end of a run that failed, with what its retry policy makes of it."""
    limit = job_type.memory_limit if (job_type := registry.find(job.job_type)) else None
    if limit and type(error) is MemoryError:
        error = MemoryLimitExceeded(limit).with_traceback(error.__traceback__)
    failed = elections.at_the_end(job, _failed(job, started, error), error)
    _log_failure(job, failed, error)
    return failed


def _flush(context: JobContext) -> None:
    """Keep how far the run came, for the next attempt. What it says of that must not hide why it failed."""
    try:
        context.flush()
    except Exception:
        logger.exception("The checkpoint of job %d was not stored", context.id, extra={"job_id": context.id})
    except JobStopped:
        pass  # the job is no longer ours, as its acknowledgement will find


def _kept_from_starting(job: Claimed, started: datetime) -> Finish | None:
    """How the job ends that filters do not let start, or about which one could not be asked; None to start it."""
    never_ran = _finish(job, states.PROCESSING, "", started, started, None, {})
    try:
        return elections.at_the_start(job, never_ran)
    except FilterFailed as failure:
        pause = patience.spend(job.id, failure)
        if pause is None:
            target = given_up(failure)
            failed = _finish(job, states.FAILED, target.reason[:200], started, clock.now(), None, target.data)
            return failed._replace(only_ours=True)
        due = clock.now() + timedelta(seconds=pause)
        return _put_back(job, started, states.SCHEDULED, f"{failure.reason}; it is asked again", due)


def _call(job_type: JobType, job: Claimed, context: JobContext) -> Any:
    if signals.job_started.receivers:
        signals.job_started.send_robust(Job, context=context)
    stored_kwargs = {} if job.kwargs == "{}" else json.loads(job.kwargs)
    args, kwargs = decode_arguments(job_type, json.loads(job.args), stored_kwargs)
    context.args.extend(args)
    context.kwargs.update(kwargs)
    if job.headers != "{}":
        context.headers.update(json.loads(job.headers))
    printing = capture.printing(context) if job_type.capture_print else nullcontext()
    with time_limit(None if job_type.is_async else job_type.timeout), printing:
        through = middleware.around(job_type, _invoke, _run_async)
        if through is not None:
            return through(context)
        result = _invoke(job_type, context)
        return _run_async(result, context) if inspect.isawaitable(result) else result


def _invoke(job_type: JobType, context: JobContext) -> Any:
    """Call the function; of an async one this makes the coroutine."""
    args = [context, *context.args] if job_type.takes_context else context.args
    return job_type.function(*args, **context.kwargs)


def _run_async(result: Any, context: JobContext) -> Any:
    limit = registry.get(context.job_type).timeout
    return eventloop.shared.run(_awaited(result, context.control, limit))


async def _awaited(result: Any, control: Control, limit: float | None) -> Any:
    with control.cancelling_task():
        return await eventloop.limited(result, limit)


def _succeeded(job: Claimed, started: datetime, result: Any) -> Finish:
    text, as_text = encode_result(result)
    ended = clock.now()
    note = ', "result_as_text": true' if as_text else ""
    data = f'{{"seconds": {(ended - started).total_seconds()}{note}}}'
    logger.debug("Job %s %s succeeded", job.id, job.job_type)
    return _finish(job, states.SUCCEEDED, "", started, ended, text, data)


def _ended_well(job: Claimed, started: datetime, result: Any) -> Finish:
    return elections.at_the_end(job, _succeeded(job, started, result))


def _snoozed(job: Claimed, started: datetime, wish: Snooze) -> Finish:
    due = clock.now() + timedelta(seconds=wish.seconds)
    return _put_back(job, started, states.SCHEDULED, str(wish).replace("Put back", "Snoozed", 1), due)


def _put_back(job: Claimed, started: datetime, state: str, reason: str, due: datetime | None) -> Finish:
    """A run that did not end: the job waits again, and no attempt is counted."""
    return _finish(job, state, reason, started, clock.now(), None, {})._replace(then=Then(state, "", due, None))


def _cancelled(job: Claimed, started: datetime) -> Finish:
    """A run that ended because of its cancellation. The row says so already, unless the job cancelled itself."""
    ended = clock.now()
    data = {"seconds": round((ended - started).total_seconds(), 6)}
    return _finish(job, states.DELETED, "Cancelled by itself", started, ended, None, data)


def _refused(job: Claimed, started: datetime, wish: Cancel) -> Finish:
    who = f"by filter {wish.by}" if wish.by else "by itself"
    reason = clean_text(f"Cancelled {who}: {wish.reason}" if wish.reason else f"Cancelled {who}")[:200]
    return _finish(job, states.DELETED, reason, started, clock.now(), None, {})


def _failed(job: Claimed, started: datetime, error: BaseException) -> Finish:
    ended = clock.now()
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    message = clean_text(_message(error))
    data = {
        "seconds": round((ended - started).total_seconds(), 6),
        "exception": name,
        "message": message[:2000],
        "place": _place(error),
        "traceback": _traceback(error),
    }
    return _finish(job, states.FAILED, f"{name}: {message}"[:200], started, ended, None, data)


def _log_failure(job: Claimed, run: Finish, error: BaseException) -> None:
    what = "it is not tried again" if run.then is None else f"it is {run.then.state}: {run.then.reason}"
    logger.error("Job %s %s failed, %s", job.id, job.job_type, what, exc_info=error, extra={"job_id": job.id})


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (an exception whose own text cannot be made is still a failure to record)
        return "(its message could not be read)"


def _place(error: BaseException) -> str:
    """Where it was raised: the innermost line of the site's own code, or of any where none of it is the site's."""
    frames = list(traceback.walk_tb(error.__traceback__))
    own = [frame for frame in frames if not frame[0].f_code.co_filename.startswith(NOT_THE_SITES)]
    if not frames:
        return ""
    frame, line = (own or frames)[-1]
    return clean_text(f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}:{line}")[:200]


def _traceback(error: BaseException) -> str:
    """The end of the traceback: the last lines are those that tell, and a deep recursion must not fill the table."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    if len(lines) > TRACEBACK_LINES:
        lines = [*lines[:2], f"  … {len(lines) - TRACEBACK_LINES} lines left out …", *lines[-TRACEBACK_LINES + 2 :]]
    return clean_text("\n".join(lines))[-TRACEBACK_SIZE:]


def _finish(
    job: Claimed,
    state: str,
    reason: str,
    started: datetime,
    ended: datetime,
    result: str | None,
    data: dict[str, Any] | str,
) -> Finish:
    failed = int(state == states.FAILED)
    text = data if isinstance(data, str) else json.dumps(data)
    keep = registry.keep(job.job_type, state)
    named = (job.job_type, job.queue, job.batch, bool(job.limited), bool(job.keyed))
    return Finish(job.id, job.run, state, reason, started, ended, result, text, keep, failed, *named)


def _open_transactions() -> set[str]:
    """Databases on which a transaction is open in this thread."""
    return {
        connection.alias
        for connection in connections.all(initialized_only=True)
        if connection.connection is not None and (connection.in_atomic_block or not connection.autocommit)
    }


def _drop_broken(caller: set[str]) -> None:
    """Close what the failure broke, or the next job would meet it. A caller's open transaction is the caller's."""
    for connection in connections.all(initialized_only=True):
        if connection.alias not in caller:
            # MySQL's driver refuses to close what the job closed itself; Django lets go of it all the same.
            with suppress(Error):
                connection.close_if_unusable_or_obsolete()


def _close_left_open(before: set[str]) -> None:
    """Roll back what the job left open: its transaction must not swallow the next job's writes, or our own."""
    for alias in _open_transactions() - before:
        connections[alias].in_atomic_block = False
        with suppress(Error):
            connections[alias].close()
        logger.warning("A job left a transaction open on the database %r; it was rolled back", alias)
