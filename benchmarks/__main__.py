"""How fast it is, here and now. `make bench` runs the short form.

    python -m benchmarks --database-url postgres://postgres@127.0.0.1:5432/bench --redis-url redis://127.0.0.1:6379/15
    python -m benchmarks throughput latency --passes 3 --jobs 30000 --out results.jsonl --table table.md

The passes are interleaved: each runs every scenario once. The table has medians with the least and the most, and the
machine's own speed beside them; compare ratios within one run only. The database and the Redis are emptied.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import django
from django.core.management import call_command

from .machine import calibrate


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    os.environ["BENCH_DATABASE_URL"] = options.database_url
    os.environ["BENCH_REDIS_URL"] = options.redis_url
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.bench_settings"
    django.setup()
    call_command("migrate", verbosity=0)
    from . import scale, upkeep  # noqa: F401
    from .scenarios import SCENARIOS

    unknown = sorted(set(options.scenarios) - set(SCENARIOS))
    if unknown:
        print(f"No scenario is named {unknown[0]!r}; there are {', '.join(SCENARIOS)}.", file=sys.stderr)
        return 2
    names = options.scenarios or options.default
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(options.passes):
        for name in names:
            line = {"pass": number + 1, "scenario": name, **calibrate(), "numbers": SCENARIOS[name](options.jobs)}
            _tell(line, options.out)
            for what, value in line["numbers"].items():
                found[what].append(value)
    text = _table(found, options)
    print(f"\n{text}")
    if options.table:
        options.table.write_text(text)
    return 0


SHORT = ["raw", "throughput", "enqueue", "latency", "mixed"]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("scenarios", nargs="*", help="which; default is the short form")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=20_000, help="jobs of a drain")
    parser.add_argument("--database-url", default=os.environ.get("TEST_POSTGRES_URL", ""), help="a database to empty")
    parser.add_argument("--redis-url", default=os.environ.get("TEST_REDIS_URL", ""), help="a Redis database to empty")
    parser.add_argument("--out", type=Path, help="append a JSON line for each measurement")
    parser.add_argument("--table", type=Path, help="write the Markdown table")
    parser.set_defaults(default=SHORT)
    options = parser.parse_args(arguments)
    if not options.database_url or not options.redis_url:
        parser.error("--database-url and --redis-url are needed (or TEST_POSTGRES_URL and TEST_REDIS_URL)")
    return options


def _tell(line: dict[str, object], out: Path | None) -> None:
    text = json.dumps(line)
    print(text, flush=True)
    if out is not None:
        with out.open("a") as file:
            file.write(text + "\n")


def _table(found: dict[str, list[float]], options: argparse.Namespace) -> str:
    rows = ["| what | median | least | most |", "|---|---:|---:|---:|"]
    for what, values in found.items():
        cells = [_number(statistics.median(values)), _number(min(values)), _number(max(values))]
        rows.append(f"| {what} | {' | '.join(cells)} |")
    when = time.strftime("%Y-%m-%d")
    return "\n".join([*rows, "", f"{when}, {options.passes} passes, {options.jobs:,} jobs, {os.cpu_count()} CPUs.", ""])


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
