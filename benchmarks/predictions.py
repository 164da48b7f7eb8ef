"""How far predictions are off, on a site that runs: the demo, say.

    DJANGO_SETTINGS_MODULE=example_project.settings python -m benchmarks.predictions --seconds 120

Each second it asks when a few waiting jobs will start and running ones will end; then it looks what became of them.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from datetime import datetime
from typing import NamedTuple

import django


class Said(NamedTuple):
    """A prediction: of which job, what of it, when, and the times within which it should be."""

    job: int
    what: str
    at: datetime
    early: datetime
    likely: datetime
    late: datetime


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predictions")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--wait", type=float, default=15, help="seconds until it looks what became of the last ones")
    parser.add_argument("--each", type=int, default=8, help="jobs of a state that are asked about in a second")
    options = parser.parse_args(arguments)
    django.setup()
    said, unknown = _ask(options.seconds, options.each)
    time.sleep(options.wait)
    for what in ("started_at", "finished_at"):
        print(_row(what, [one for one in said if one.what == what], unknown[what]))
    return 0


def _ask(seconds: float, each: int) -> tuple[list[Said], dict[str, int]]:
    from django_jobs import clock, estimates, monitoring

    said: list[Said] = []
    unknown = {"started_at": 0, "finished_at": 0}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for state, what, asked in (
            ("enqueued", "started_at", estimates.start),
            ("processing", "finished_at", estimates.end),
        ):
            for job in monitoring.jobs().filter(state=state).order_by("?")[:each]:
                span, now = asked(job), clock.now()
                if span is None:
                    unknown[what] += 1
                else:
                    said.append(Said(job.pk, what, now, *span.after(now)))
        time.sleep(1)
    return said, unknown


def _row(what: str, said: list[Said], unknown: int) -> str:
    from django_jobs import monitoring

    rows = {pk: (run, at) for pk, run, at in monitoring.jobs().values_list("pk", "run", what) if run == 1}
    known = [(one, rows[one.job][1]) for one in said if one.job in rows and rows[one.job][1] is not None]
    known = [(one, at) for one, at in known if at >= one.at]
    if not known:
        return f"{what}: nothing to compare"
    within = sum(one.early <= at <= one.late for one, at in known) / len(known)
    late = sum(at > one.late for one, at in known) / len(known)
    off = [abs((at - one.likely).total_seconds()) for one, at in known]
    real = [(at - one.at).total_seconds() for one, at in known]
    return (
        f"{what}: {len(known)} predictions, {unknown} unknown; within the range {within:.0%}, later {late:.0%}; "
        f"off by {statistics.median(off):.2f} s (half), {sorted(off)[int(0.9 * len(off))]:.2f} s (nine of ten); "
        f"what was predicted took {statistics.median(real):.2f} s (half), {sorted(real)[int(0.9 * len(real))]:.2f} s"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
