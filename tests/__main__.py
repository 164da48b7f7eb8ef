"""The whole suite: `python -m tests`, or `make test`. Arguments go to pytest: `python -m tests -k pause`.

Services beside SQLite and the embedded Valkey come by environment: TEST_POSTGRES_URL, TEST_MARIADB_URL, TEST_REDIS_URL.
TEST_REQUIRE lists services without which the run counts as failed: "postgresql mariadb redis chromium rabbitmq".
TEST_REPORT names a file for the list of services that were used.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.lanes import BadLane, Outcome, lanes, run_all, services, table


def main(arguments: list[str]) -> int:
    try:
        outcomes = run_all(lanes(os.environ), arguments)
    except BadLane as error:
        print(error, file=sys.stderr)
        return 2
    used = ", ".join(f"{name} {version}" for name, version in sorted(services(outcomes).items()))
    print(f"\n{table(outcomes)}\n\nServices used: {used or 'none'}")
    if path := os.environ.get("TEST_REPORT"):
        Path(path).write_text(f"{used}\n")
    for outcome in outcomes:
        for name in outcome.doubtful:
            print(f"Passed, but not at the first try: {outcome.lane.name}: {name}")
    complaints = complain(outcomes)
    print("\n".join(complaints) or "Every lane passed.")
    return 1 if complaints else 0


def complain(outcomes: list[Outcome]) -> list[str]:
    required = os.environ.get("TEST_REQUIRE", "").split()
    missing = [name for name in required if name not in services(outcomes)]
    found = [
        f"FAILED: {outcome.lane.name} (pytest's exit status {outcome.status}, {len(outcome.doubtful)} second tries)"
        for outcome in outcomes
        if outcome.failed
    ]
    return found + [f"FAILED: no test used {name}, which TEST_REQUIRE asks for" for name in missing]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
