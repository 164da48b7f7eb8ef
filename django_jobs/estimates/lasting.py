"""How long runs of a type take, by those that it had: the newest ones, or all that were ever added up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import sqrt

from .. import states
from ..conf import settings
from ..models import Job, Tally
from ..tallies import BOUNDS
from .spans import Span

NEWEST = 400
"""Jobs of a type that are looked at."""
ENOUGH = 8
"""Runs below which nothing is said."""
MOST = 0.98
"""Share of the runs beyond which longer ones count as if they were as long as that: one that hung says little."""
RAN = {states.SUCCEEDED, states.FAILED}
AT_ONCE = 100
"""Types that one statement asks for; SQLite joins at most 500 parts."""
NAMES = {"job": Job._meta.db_table, "newest": NEWEST}
OF_TYPE = """SELECT * FROM (
    SELECT id, job_type, state, started_at, finished_at FROM {job}
    WHERE job_type = %s ORDER BY id DESC LIMIT {newest}) AS newest""".format(**NAMES)


@dataclass(frozen=True, slots=True)
class Lasting:
    """What is known of a type's run times: seconds in order, each standing for as many runs as the others."""

    seconds: Sequence[float]
    runs: int

    def share(self, part: float) -> float:
        """The seconds within which that part of the runs ended, from 0 to 1."""
        place = part * (len(self.seconds) - 1)
        low = int(place)
        high = min(low + 1, len(self.seconds) - 1)
        return self.seconds[low] + (place - low) * (self.seconds[high] - self.seconds[low])

    @property
    def span(self) -> Span:
        return Span(self.share(0.05), self.share(0.5), self.share(0.95))

    @property
    def mean(self) -> float:
        return self._usual(1)

    @property
    def deviation(self) -> float:
        return sqrt(max(0.0, self._usual(2) - self.mean**2))

    def left(self, spent: float) -> float:
        """Seconds that a run which has taken so many may go on, on average."""
        longer = self.seconds[bisect_right(self.seconds, spent) :]
        return sum(longer) / len(longer) - spent if longer else self.mean

    def _usual(self, power: int) -> float:
        most = self.share(MOST)
        return sum(min(one, most) ** power for one in self.seconds) / len(self.seconds)


def duration(job_type: str) -> Span | None:
    """How long a run of the type takes; None where it has had fewer than a handful."""
    found = lasting([job_type]).get(job_type)
    return found.span if found else None


def lasting(job_types: Iterable[str]) -> dict[str, Lasting]:
    """What is known of each of the types; one of which too little is known is not among them."""
    names = set(job_types)
    newest = _newest(names)
    found = {name: Lasting(seconds, len(seconds)) for name, seconds in newest.items() if len(seconds) >= ENOUGH}
    return found | _added_up(names - found.keys())


def _newest(job_types: set[str]) -> dict[str, list[float]]:
    """Seconds of each type's newest runs, in order. So many may wait that none of the newest jobs has ended."""
    seconds: dict[str, list[float]] = {}
    every = sorted(job_types)
    for names in (every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE)):
        for job in Job.objects.using(settings.DATABASE).raw(" UNION ALL ".join([OF_TYPE] * len(names)), names):
            if job.state in RAN and job.started_at and job.finished_at:
                spent = (job.finished_at - job.started_at).total_seconds()
                seconds.setdefault(job.job_type, []).append(spent)
    return {name: sorted(found) for name, found in seconds.items()}


def _added_up(job_types: set[str]) -> dict[str, Lasting]:
    """The same from the totals, in which a run is only known to be in a bucket."""
    rows = Tally.objects.using(settings.DATABASE).filter(job_type__in=job_types, kind=Tally.Kind.SUCCEEDED)
    buckets: dict[str, list[int]] = {}
    for job_type, held in rows.values_list("job_type", "buckets") if job_types else ():
        sums = buckets.setdefault(job_type, [0] * len(held))
        buckets[job_type] = [one + other for one, other in zip(sums, held, strict=True)]
    return {name: _spread(held) for name, held in buckets.items() if sum(held) >= ENOUGH}


def _spread(buckets: list[int]) -> Lasting:
    """A hundred runs, spread as those in the buckets are."""
    edges = [0.0, *BOUNDS, 2 * BOUNDS[-1]]
    reached = list(accumulate(buckets, initial=0))
    total = reached[-1]
    seconds = []
    for number in range(100):
        wanted = (number + 0.5) / 100 * total
        place = bisect_right(reached, wanted) - 1
        part = (wanted - reached[place]) / buckets[place]
        seconds.append(edges[place] + part * (edges[place + 1] - edges[place]))
    return Lasting(seconds, total)
