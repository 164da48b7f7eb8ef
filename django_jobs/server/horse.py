"""A work-horse: a process that runs one job of a type with ``isolation="process"``, and tells how it ended."""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import random
import resource
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress
from typing import Any, NamedTuple

import psutil
from django.db import connections

from .. import clock, control, execution, signals
from ..clock import Clock
from ..exceptions import MemoryLimitExceeded
from ..states.statements import Claimed, Finish
from .scribe import Scribe, write_consoles

logger = logging.getLogger("django_jobs.server")

LENGTH = struct.Struct(">I")
STOP = "stop"
"""Besides the words of `control`: the worker is to stop."""


class Work(NamedTuple):
    """What a horse is to do."""

    job: Claimed
    worker: str
    clock: Clock
    memory_limit: int | None
    """Megabytes that the job may take besides what its process has at the start."""


def framed(value: Any) -> bytes:
    data = pickle.dumps(value)
    return LENGTH.pack(len(data)) + data


def unframed(data: bytes) -> Any:
    """The value of a whole frame; None when something of it is missing."""
    if len(data) < LENGTH.size or len(data) < LENGTH.size + LENGTH.unpack_from(data)[0]:
        return None
    return pickle.loads(data[LENGTH.size :])


def live(line: socket.socket) -> None:
    """The life of a horse, from the fork on. It does not return."""
    status = 1
    try:
        os.setsid()
        _die_with_parent()
        random.seed()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        stream = line.makefile("rb")
        _work(_read(stream), line, stream)
        status = 0
    except BaseException:
        logger.exception("The process of an isolated job could not do its work")
    finally:
        signals.process_ending.send_robust(None)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _work(work: Work, line: socket.socket, stream: Any) -> None:
    own = os.getpid()
    clock.clock.follow(work.clock)
    stops: list[str] = []
    control.runs.stop = stops
    key = (work.job.id, work.job.run)
    threading.Thread(target=_listen, args=[stream, key, stops], name="django-jobs-ear", daemon=True).start()
    scribe = Scribe()
    scribe.start()
    run = _run(work)
    if os.getpid() != own:
        os._exit(0)  # a process that the job forked came back from its function
    scribe.stop()
    write_consoles()
    connections.close_all()
    line.sendall(framed(portable(run)))


def portable(run: Finish) -> Finish:
    """The run as the worker can read it: filters that could not be asked about its error are asked again there."""
    if run.unsettled is not None and run.unsettled.error is not None:
        run.unsettled.error = _portable(run.unsettled.error, run.reason)
    return run


def _portable(error: BaseException, text: str) -> BaseException:
    """The error, or where that cannot be pickled, one of its nearest class of Python's own that can."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:  # noqa: BLE001  (what a class of the site makes of it may raise anything)
        for kind in type(error).__mro__:
            if kind.__module__ == "builtins" and issubclass(kind, BaseException):
                with suppress(TypeError):  # some want more than a text
                    return kind(text)
        return Exception(text)


def _run(work: Work) -> Finish:
    started = clock.now()
    if work.memory_limit is not None:
        _limit_memory(work.memory_limit)
    try:
        run = execution.run(work.job, work.worker)
    except MemoryError:  # even the end of the run could not be told
        run = None
    if work.memory_limit is not None:
        _limit_memory(None)
    return run or execution.failure(work.job, started, MemoryLimitExceeded(work.memory_limit or 0))


def _limit_memory(megabytes: int | None) -> None:
    """Let every request for memory fail that goes beyond; None lifts the limit."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = hard if megabytes is None else psutil.Process().memory_info().vms + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _listen(stream: Any, key: control.Key, stops: list[str]) -> None:
    """Hear what is asked of the run; when nobody is left who could ask, nobody waits for it either."""
    while True:
        try:
            word = _read(stream)
        except (EOFError, OSError):
            return
        if word == STOP:
            stops.append(word)
        else:
            control.runs.tell(word, key)


def _read(stream: Any) -> Any:
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    return pickle.loads(stream.read(LENGTH.unpack(head)[0]))


def _die_with_parent() -> None:
    """Linux kills the horse when the process that forked it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG
