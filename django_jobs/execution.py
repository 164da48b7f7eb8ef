"""One run of one job: from the claimed row to how it ended. It writes nothing; the worker acknowledges in sets."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import FrameType
from typing import Any

from asgiref.sync import SyncToAsync
from django.db import connections

from . import clock, states
from .call import clean_text, decode_arguments, encode_result
from .context import JobContext, _current
from .exceptions import JobTimeout, Snooze
from .policies import retries
from .registry import JobType, registry
from .states.statements import Claimed, Finish, Then

logger = logging.getLogger("django_jobs.jobs")

TRACEBACK_LINES = 100
TRACEBACK_SIZE = 20_000


def run(job: Claimed, worker: str) -> Finish:
    """Run a claimed job and say how it ended. Never raises: whatever the function raises is a failure of the job."""
    started = clock.now()
    context = JobContext(job.id, job.job_type, job.queue, job.failures + 1, job.run, worker)
    token = _current.set(context)
    open_before = _open_transactions()
    try:
        result = _call(registry.get(job.job_type), job, context)
        return _succeeded(job, started, result)
    except Snooze as wish:
        return _snoozed(job, started, wish)
    except BaseException as error:  # noqa: BLE001  (SystemExit and CancelledError of a job end the job, not the worker)
        _drop_broken(open_before)
        failed = retries.elect(job, _failed(job, started, error), error)
        _log_failure(job, failed, error)
        return failed
    finally:
        _current.reset(token)
        _close_left_open(open_before)


def _call(job_type: JobType, job: Claimed, context: JobContext) -> Any:
    stored_args, stored_kwargs = json.loads(job.args), json.loads(job.kwargs)
    args, kwargs = decode_arguments(job_type, stored_args, stored_kwargs)
    context.args.extend(args)
    context.kwargs.update(kwargs)
    if job_type.takes_context:
        args = [context, *args]
    with _time_limit(job_type.timeout):
        result = job_type.function(*args, **kwargs)
        return _run_async(result) if inspect.isawaitable(result) else result


def _run_async(result: Any) -> Any:
    """Async code reaches the database in a thread that outlives the job: that one's connections are looked at too."""
    try:
        return asyncio.run(_awaited(result))
    finally:
        SyncToAsync.single_thread_executor.submit(_tidy)


def _tidy() -> None:
    _drop_broken(set())
    _close_left_open(set())


async def _awaited(result: Any) -> Any:
    return await result


@contextmanager
def _time_limit(seconds: float | None) -> Iterator[None]:
    """Raise JobTimeout inside the job when its time is up. A timer signal can do that in a main thread only."""
    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:
        raise JobTimeout(seconds)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _succeeded(job: Claimed, started: datetime, result: Any) -> Finish:
    text, as_text = encode_result(result)
    ended = clock.now()
    data: dict[str, Any] = {"seconds": round((ended - started).total_seconds(), 6)}
    if as_text:
        data["result_as_text"] = True
    logger.debug("Job %s %s succeeded", job.id, job.job_type)
    return _finish(job, states.SUCCEEDED, "", started, ended, text, data)


def _snoozed(job: Claimed, started: datetime, wish: Snooze) -> Finish:
    ended = clock.now()
    later = Then(states.SCHEDULED, "", ended + timedelta(seconds=wish.seconds), None)
    return _finish(job, states.SCHEDULED, f"Snoozed: {wish}", started, ended, None, {})._replace(then=later)


def _failed(job: Claimed, started: datetime, error: BaseException) -> Finish:
    ended = clock.now()
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    message = clean_text(_message(error))
    data = {
        "seconds": round((ended - started).total_seconds(), 6),
        "exception": name,
        "message": message[:2000],
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


def _traceback(error: BaseException) -> str:
    """The end of the traceback: the last lines are those that tell, and a deep recursion must not fill the table."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    if len(lines) > TRACEBACK_LINES:
        lines = [*lines[:2], f"  … {len(lines) - TRACEBACK_LINES} lines left out …", *lines[-TRACEBACK_LINES + 2 :]]
    return clean_text("\n".join(lines))[-TRACEBACK_SIZE:]


def _finish(
    job: Claimed, state: str, reason: str, started: datetime, ended: datetime, result: str | None, data: dict[str, Any]
) -> Finish:
    failed = int(state == states.FAILED)
    text = json.dumps(data)
    return Finish(
        job.id, job.run, state, reason, started, ended, result, text, registry.keep(job.job_type, state), failed
    )


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
            connection.close_if_unusable_or_obsolete()


def _close_left_open(before: set[str]) -> None:
    """Roll back what the job left open: its transaction must not swallow the next job's writes, or our own."""
    for alias in _open_transactions() - before:
        connections[alias].in_atomic_block = False
        connections[alias].close()
        logger.warning("A job left a transaction open on the database %r; it was rolled back", alias)
