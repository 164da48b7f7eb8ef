"""The zygote of a worker: a process without threads, which forks the work-horses that run isolated jobs.

A process with threads cannot fork safely: what another thread holds locked stays locked in the fork for ever. So the
zygote is forked before the worker starts its threads, and only where the server takes a job type that is isolated.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .. import clock, control, execution, queues
from ..exceptions import JobTimeout, ProcessDied
from ..registry import JobType
from ..states.statements import Claimed, Finish
from . import horse
from .process import close_connections

logger = logging.getLogger("django_jobs.server")

NUMBER = struct.Struct("i")
NO_FORK = -1
"""Told instead of the number of a process where none could be made."""
LOOK = 0.2
"""Seconds between two looks whether the worker is to stop."""


class ZygoteGone(Exception):
    """The zygote was killed: nobody can fork work-horses for this worker any more."""


class Zygote:
    """The worker's side: hands jobs over, and waits for their ends. Several threads may do that at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        close_connections()
        queues.hang_up()
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if not self.pid:
            self._line.close()
            _live(theirs)
        theirs.close()

    def run(self, job: Claimed, job_type: JobType, worker: str, stop: Callable[[], bool]) -> Finish:
        """Run a job in a process of its own and say how it ended. Raises ZygoteGone."""
        started = clock.now()
        heard = control.runs.begin((job.id, job.run))
        ride = Ride(self._saddle(), job_type.hard_limit)
        try:
            with heard.listening(ride.say):
                return ride.run(horse.Work(job, worker, clock.clock, job_type.memory_limit), stop)
        except (ProcessDied, JobTimeout) as error:
            return execution.failure(job, started, error)
        finally:
            control.runs.end((job.id, job.run))
            ride.close()

    def _saddle(self) -> tuple[socket.socket, socket.socket]:
        """Ask for a horse; returns the lines to it, and to the zygote about it."""
        work, to_horse = socket.socketpair()
        state, to_zygote = socket.socketpair()
        with to_horse, to_zygote, self._lock:
            try:
                socket.send_fds(self._line, [b"fork"], [to_horse.fileno(), to_zygote.fileno()])
            except OSError as error:
                raise ZygoteGone from error
        return work, state


class Ride:
    """One job in its work-horse."""

    def __init__(self, lines: tuple[socket.socket, socket.socket], limit: float) -> None:
        self._work, self._state = lines
        self._heard = [*lines]
        """Who may still say something."""
        self._limit = limit
        self._deadline = time.monotonic() + limit if limit else float("inf")
        self._pid = 0
        self._late = False
        self._answer = b""
        self._lock = threading.Lock()
        self._early: list[str] | None = []

    def say(self, word: str) -> None:
        """Pass on what is asked of the run, after its work. Other threads may do that while the work is still said."""
        with self._lock:
            if self._early is None:
                self._send(word)
            else:
                self._early.append(word)

    def run(self, work: horse.Work, stop: Callable[[], bool]) -> Finish:
        self.say_work(work)
        status = None
        told = False
        while status is None:
            if stop() and not told:
                told = True
                self.say(horse.STOP)
            status = self._wait()
        self._drain()
        run: Finish | None = horse.unframed(self._answer)
        if self._late and run is None:
            raise JobTimeout(self._limit, hard=True)
        if run is None:
            raise ProcessDied(status)
        return run

    def say_work(self, work: horse.Work) -> None:
        """What it is to do, then what was asked of the run so far."""
        self._send(work)
        with self._lock:
            early, self._early = self._early, None
            for word in early or ():
                self._send(word)

    def _send(self, value: Any) -> None:
        try:
            self._work.sendall(horse.framed(value))
        except OSError:
            pass  # it has just ended; its status will tell

    def _wait(self) -> int | None:
        """Read for a moment; the exit status, once it has ended."""
        seconds = max(0.0, min(LOOK, self._deadline - time.monotonic()))
        ready = select.select(self._heard, [], [], seconds)[0]
        if self._work in ready and not self._read():
            self._heard = [self._state]  # its job may have closed the line, and run on
        if time.monotonic() >= self._deadline and not self._late and self._pid > 0:
            self._late = True
            with suppress(ProcessLookupError):  # it has ended just now
                os.killpg(self._pid, signal.SIGKILL)
        return self._news() if self._state in ready else None

    def _read(self) -> bool:
        """Take what the horse says; False when it says nothing more."""
        try:
            data = self._work.recv(65536)
        except OSError:
            return False
        self._answer += data
        return bool(data)

    def _drain(self) -> None:
        """Take what it had said before it ended, though a process that it left behind may hold the line open."""
        self._work.setblocking(False)
        while self._read():
            pass

    def _news(self) -> int | None:
        """First its process number, then its status."""
        data = self._state.recv(NUMBER.size)
        if len(data) < NUMBER.size:
            raise ZygoteGone
        number = int(NUMBER.unpack(data)[0])
        if self._pid:
            return number
        self._pid = number
        return 1 << 8 if number == NO_FORK else None

    def close(self) -> None:
        self._work.close()
        self._state.close()


def _live(line: socket.socket) -> None:
    """The life of the zygote. It does not return."""
    try:
        bell, wake = os.pipe()
        os.set_blocking(bell, False)
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        horses: dict[int, socket.socket] = {}
        while _turn(line, bell, horses):
            _reap(horses)
        for pid in horses:
            os.killpg(pid, signal.SIGKILL)
    except BaseException:
        logger.exception("The zygote ends because of an error")
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _turn(line: socket.socket, bell: int, horses: dict[int, socket.socket]) -> bool:
    """Wait for a wish or for the end of a horse; False when the worker is gone."""
    ready = select.select([line.fileno(), bell], [], [])[0]
    if bell in ready:
        os.read(bell, 4096)
    if line.fileno() not in ready:
        return True
    message, fds, _, _ = socket.recv_fds(line, 16, 2)
    if not message:
        return False
    to_worker, state = (socket.socket(fileno=fd) for fd in fds)
    try:
        pid = os.fork()
    except OSError:
        logger.exception("No process can be made for an isolated job")
        pid = NO_FORK
    if not pid:
        for other in (line, state, *horses.values()):
            other.close()
        horse.live(to_worker)
    to_worker.close()
    state.sendall(NUMBER.pack(pid))
    if pid != NO_FORK:
        horses[pid] = state
    return True


def _reap(horses: dict[int, socket.socket]) -> None:
    while horses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        if state := horses.pop(pid, None):
            try:
                state.sendall(NUMBER.pack(status))
            except OSError:
                pass  # nobody waits for it any more
            state.close()
