"""Microseconds from one run of a schedule to the next, beside croniter and cronsim.

    pip install --group bench && python -m benchmarks.cron

A dash stands where a library does not know the expression. The least of five rounds.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import islice
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter
from cronsim import CronSim, CronSimError

from django_jobs.cron import Cron

ZONE = ZoneInfo("America/New_York")
START = datetime(2026, 1, 1, tzinfo=ZONE)
ROUNDS = 5
EXPRESSIONS = {
    "* * * * * *": 2000,
    "* * * * *": 2000,
    "*/5 9-17 * * MON-FRI": 2000,
    "0 2 * * *": 2000,
    "0 23 L * *": 500,
    "0 9 LW * *": 500,
    "0 9 * * FRI#2": 500,
    "0 0 29 2 *": 10,
}

Times = Callable[[str], Iterator[datetime]]


def ours(expression: str) -> Iterator[datetime]:
    return Cron(expression, ZONE).iter(START)


def by_cronsim(expression: str) -> Iterator[datetime]:
    return CronSim(expression, START)


def by_croniter(expression: str) -> Iterator[datetime]:
    seconds_first = len(expression.split()) == 6
    return croniter(expression, START, ret_type=datetime, second_at_beginning=seconds_first)


def each(times: Times, expression: str, count: int) -> str:
    taken = []
    for _ in range(ROUNDS):
        try:
            run = times(expression)
            begin = time.perf_counter()
            found = sum(1 for _ in islice(run, count))
        except (CroniterError, CronSimError):
            return "–"
        taken.append((time.perf_counter() - begin) / found * 1e6)
    return f"{min(taken):.1f}"


def once(ask: Callable[[], object], count: int = 500) -> str:
    return f"{min(timeit.repeat(ask, number=count, repeat=ROUNDS)) / count * 1e6:.1f}"


def main() -> None:
    print("| expression | django_jobs | cronsim | croniter |\n|---|---|---|---|")
    for expression, count in EXPRESSIONS.items():
        figures = [each(times, expression, count) for times in (ours, by_cronsim, by_croniter)]
        print(f"| `{expression}` | {' | '.join(figures)} |")
    print("\n| once | next | parse and next |\n|---|---|---|")
    for expression in ("0 2 * * *", "0 0 30 2 *"):
        cron = Cron(expression, ZONE)
        print(f"| `{expression}` | {once(partial(cron.next, START))} | {once(partial(read_and_ask, expression))} |")


def read_and_ask(expression: str) -> datetime | None:
    return Cron(expression, ZONE).next(START)


if __name__ == "__main__":
    main()
