"""Elections: filters may replace the state that a job is about to enter, as far as the table of moves allows.

A run that has succeeded or failed did so: that state stands in the history, before the one that it leads on to.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from ..call import clean_text
from ..conf import settings
from ..exceptions import FilterFailed
from ..models import Job
from ..registry import registry
from . import ENDED, ENQUEUED, FAILED, MOVES, PROCESSING, SCHEDULED, SUCCEEDED, filters
from .statements import Claimed, Finish, Then


class Step(NamedTuple):
    """A state that a job is to enter; `at` is when it is due, for Scheduled."""

    state: str
    reason: str
    at: datetime | None = None


class Election:
    """A job that is about to enter a state, for a filter to see and to `replace`."""

    def __init__(
        self,
        job_id: int,
        job_type: str,
        queue: str,
        *,
        was: str,
        step: Step,
        run: int,
        now: datetime,
        attempt: int = 0,
        error: BaseException | None = None,
    ) -> None:
        self.job_id = job_id
        self.job_type = job_type
        self.queue = queue
        self.was = was
        """The state that it is in."""
        self.run = run
        """Number of its last claim."""
        self.now = now
        """From when a timedelta counts."""
        self.attempt = attempt
        """Number of the attempt that runs or has ended, from 1; 0 where there is none."""
        self.error = error
        """What the run raised."""
        self._proposed = step
        self._now_at = step
        self._happened: Step | None = step if was == PROCESSING and step.state in (SUCCEEDED, FAILED) else None
        self._filter = ""

    @property
    def state(self) -> str:
        """The candidate: the state that it is to enter."""
        return self._now_at.state

    @property
    def reason(self) -> str:
        return self._now_at.reason

    @property
    def job(self) -> Job:
        """The stored job; it is read when asked for."""
        return Job.objects.using(settings.DATABASE).get(pk=self.job_id)

    def replace(self, state: str, reason: str = "", *, at: datetime | timedelta | None = None) -> None:
        """Let the job enter `state` instead. `at` is when it is due: an aware datetime, or a timedelta from now.

        Scheduled for a time that has come is Enqueued. Raises ValueError for a move that is not legal.
        """
        start = self._happened.state if self._happened else self.was
        if state not in MOVES[start]:
            known = ", ".join(sorted(MOVES[start]))
            raise ValueError(f"No job may move from {start} to {state!r}; it may to {known}")
        due = self.now + at if isinstance(at, timedelta) else at
        if state == SCHEDULED:
            if due is None:
                raise ValueError("Scheduled needs to know for when: replace('scheduled', at=…)")
            if due <= self.now and ENQUEUED in MOVES[start]:
                state = ENQUEUED
        self._now_at = Step(state, clean_text(reason or f"By filter {self._filter}")[:200], due)

    def hold(self) -> tuple[Step, ...]:
        """Ask the filters; returns the states to enter, one after the other. Raises FilterFailed."""
        for one in filters.chain("elect", self.job_type):
            if self.state in one.states:
                self._filter = filters.name_of(one)
                filters.ask(one, one.elect, self)
        if self._now_at is self._proposed or self._happened is None:
            return (self._now_at,)
        return self._happened, self._now_at

    def again(self) -> Election:
        """The same election before anybody was asked."""
        self._now_at = self._proposed
        return self


def concerned(types: Iterable[str], state: str) -> bool:
    """Whether any filter has a say when jobs of these types enter that state."""
    return any(filters.chain("elect", name, state) for name in types)


def at_the_end(job: Claimed, run: Finish, error: BaseException | None = None) -> Finish:
    """The ended run with what filters elected. One that could not be asked is asked again when the run is recorded."""
    if not filters.chain("elect", run.job_type, run.state):
        return run
    step = Step(run.state, run.reason)
    election = Election(
        *(run.id, run.job_type, run.queue),
        was=PROCESSING,
        step=step,
        run=run.run,
        now=run.finished_at,
        attempt=job.failures + 1,
        error=error,
    )
    try:
        return settled(run._replace(unsettled=election))
    except FilterFailed:
        return run._replace(unsettled=election)


def settled(run: Finish) -> Finish:
    """The run with what filters elected. Raises FilterFailed."""
    if run.unsettled is None:
        return run
    *_, last = run.unsettled.again().hold()
    run = run._replace(unsettled=None)
    keep = registry.keep(run.job_type, last.state) if last.state in ENDED else None
    if last.state == run.state:
        return run._replace(reason=last.reason)
    if run.state in (SUCCEEDED, FAILED):
        return run._replace(then=Then(last.state, last.reason[:200], last.at, keep))
    return ending(run, last)


def ending(run: Finish, step: Step) -> Finish:
    """The run, ending in another state than it would have."""
    then = None if step.state in ENDED else Then(step.state, "", step.at, None)
    keep = registry.keep(run.job_type, step.state) if step.state in ENDED else None
    failed = int(step.state == FAILED)
    return run._replace(state=step.state, reason=step.reason[:200], keep=keep, failed=failed, then=then)


def at_the_start(job: Claimed, run: Finish) -> Finish | None:
    """How a claimed job ends that filters do not let run; None when they let it. Raises FilterFailed."""
    step = Step(PROCESSING, "")
    election = Election(
        *(job.id, job.job_type, job.queue),
        was=PROCESSING,
        step=step,
        run=job.run,
        now=run.started_at,
        attempt=job.failures + 1,
    )
    (last,) = election.hold()
    return None if last.state == PROCESSING else ending(run, last)
