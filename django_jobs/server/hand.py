"""What a worker holds: jobs claimed and waiting, those that run, and runs that are not yet acknowledged."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..states.patience import PAUSES
from ..states.statements import Claimed, Finish


@dataclass(slots=True)
class Running:
    """A job that runs, in one of the worker's slots."""

    job: Claimed
    slot: int
    since: float
    """Monotonic time of its start."""


class Hand:
    """Shared by the threads that run jobs, the one that claims, and the keeper. Every job is handed out exactly once.

    Where several jobs run at once, one under which a worker died before is a suspect: it runs alone, after what was
    dealt with it, so that it can take no neighbour along.
    """

    def __init__(self, slots: int = 1) -> None:
        self._lock = threading.Lock()
        self._can_start = threading.Condition(self._lock)
        self._has_room = threading.Condition(self._lock)
        self._waiting: deque[Claimed] = deque()
        self._suspects: deque[Claimed] = deque()
        self._alone = False
        self._stuck = False
        self._running: list[Running | None] = [None] * slots
        self._ended: list[Finish] = []
        self._ended_since = 0.0
        self._postponed: list[tuple[float, tuple[int, str, int]]] = []
        self._deferred: list[tuple[float, Finish]] = []
        self._taken: dict[int, Sequence[Finish | Claimed]] = {}
        self.slots = slots
        self.busy = 0
        """How many jobs run now."""
        self.done = 0
        """How many have run."""
        self.stirred = threading.Event()
        """Set when the keeper may have something to do."""

    def postpone(self, bells: Iterable[tuple[int, str, int]], seconds: float) -> None:
        """Keep bells of jobs that somebody else has locked; the keeper rings them later, so that nothing spins."""
        with self._lock:
            self._postponed += [(time.monotonic() + seconds, bell) for bell in bells]

    def take_postponed(self, *, all: bool = False) -> list[tuple[int, str, int]]:
        """The bells whose time has come."""
        with self._lock:
            now = time.monotonic()
            due = [bell for at, bell in self._postponed if all or at <= now]
            self._postponed = [] if all else [(at, bell) for at, bell in self._postponed if at > now]
            return due

    def deal(self, jobs: Iterable[Claimed]) -> None:
        with self._lock:
            if self.slots == 1:
                self._waiting.extend(jobs)
                return
            for job in jobs:
                (self._suspects if job.deaths else self._waiting).append(job)
            self._can_start.notify(len(self._waiting) + len(self._suspects))

    def next(self, slot: int = 0) -> Running | None:
        """The next job to run; it counts as running from now on. None when nothing may start."""
        with self._lock:
            return self._start(slot)

    def wait_for_next(self, slot: int, over: Callable[[], bool]) -> Running | None:
        """The next job to run, as soon as there is one; None when it is over."""
        with self._lock:
            while not over():
                running = self._start(slot)
                if running is not None:
                    return running
                self._can_start.wait(1.0)
        return None

    def _start(self, slot: int) -> Running | None:
        if self._waiting and not self._alone:
            job = self._waiting.popleft()
        elif self._suspects and not self.busy:
            job = self._suspects.popleft()
            self._alone = True
        else:
            return None
        running = self._running[slot] = Running(job, slot, time.monotonic())
        self.busy += 1
        return running

    def end(self, running: Running, run: Finish | None) -> None:
        """A job does not run any more; `run` is how it ended, unless somebody else records that."""
        with self._lock:
            self._running[running.slot] = None
            self.busy -= 1
            self.done += 1
            self._stuck = False
            if run is not None:
                if not self._ended:
                    self._ended_since = time.monotonic()
                self._ended.append(run)
            self._has_room.notify()
            if self._alone or self._suspects:
                self._alone = False
                self._can_start.notify_all()

    def wake(self) -> None:
        """Let those who wait look whether it is over."""
        with self._lock:
            self._can_start.notify_all()

    def running(self) -> list[Running]:
        """The runs that are going on."""
        with self._lock:
            return [running for running in self._running if running is not None]

    def take_ended(self, *, beside: Finish | None = None) -> list[Finish]:
        """The runs to acknowledge, with one more that has ended."""
        with self._lock:
            taken, self._ended = self._ended, []
            if beside is not None:
                taken.append(beside)
            self._note_taken(taken)
            return taken

    def take_due(self, older_than: float) -> list[Finish]:
        """The runs to acknowledge, once the first has waited for so many seconds; deferred ones after their pause."""
        with self._lock:
            taken = []
            if self._ended and time.monotonic() - self._ended_since >= older_than:
                taken, self._ended = self._ended, []
            taken += self._take_deferred(time.monotonic())
            self._note_taken(taken)
            return taken

    def _note_taken(self, taken: Sequence[Finish | Claimed]) -> None:
        """Remember what this thread took last: until that is written, its rows are ours. Written runs do not matter."""
        self._taken[threading.get_ident()] = taken

    def keys(self) -> set[tuple[int, int]]:
        """Job id and run number of all that is held, also of what somebody has taken and is just writing."""
        with self._lock:
            held: list[Claimed | Finish] = [*self._waiting, *self._suspects, *self._ended]
            held += [running.job for running in self._running if running is not None]
            held += [run for _, run in self._deferred]
            for taken in self._taken.values():
                held += taken
            return {(one.id, one.run) for one in held}

    def defer(self, runs: Iterable[Finish]) -> None:
        """Keep runs that a filter did not let be recorded; they are tried again after a pause that grows."""
        with self._lock:
            self._deferred += [(time.monotonic() + PAUSES[run.tries - 1], run) for run in runs]

    def take_deferred(self) -> list[Finish]:
        """The runs that wait to be tried again, before their pause is over."""
        with self._lock:
            return self._take_deferred(float("inf"))

    def _take_deferred(self, now: float) -> list[Finish]:
        due = [run for at, run in self._deferred if at <= now]
        self._deferred = [(at, run) for at, run in self._deferred if at > now]
        return due

    def keep(self, runs: list[Finish]) -> None:
        """Take back runs that could not be acknowledged."""
        with self._lock:
            self._ended = runs + self._ended

    def take_waiting(self, behind: float = 0.0) -> list[Claimed]:
        """The jobs that wait, when every slot has been taken by one job for so many seconds.

        A suspect stays: wherever it went, it would have to wait until it can be alone.
        """
        with self._lock:
            if behind:
                latest = max(running.since if running else float("inf") for running in self._running)
                if time.monotonic() - latest < behind:
                    return []
                self._stuck = True
            taken = list(self._waiting) if behind else [*self._waiting, *self._suspects]
            self._waiting.clear()
            if not behind:
                self._suspects.clear()
            self._note_taken(taken)
            return taken

    def room(self, backlog: int, wait: float = 0.0) -> int:
        """How many jobs to claim so that no slot is idle and `backlog` wait; 0 while half of those are still there.

        `wait`: seconds to wait for room at most.
        """
        with self._lock:
            if wait and not self._room(backlog):
                self._has_room.wait(wait)
            return self._room(backlog)

    def _room(self, backlog: int) -> int:
        if self._suspects or self._alone or self._stuck or len(self._waiting) > backlog // 2:
            return 0
        return self.slots - self.busy + backlog - len(self._waiting)

    @property
    def empty(self) -> bool:
        held = self._waiting or self._suspects or self._ended or self._postponed or self._deferred
        return not (held or self.busy)
