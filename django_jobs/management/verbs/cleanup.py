"""``jobs cleanup``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ... import clock, monitoring, states
from ...server.cleaner import clean_everything
from ..output import write_done, write_json
from ..tables import write_table

HELP = "delete the jobs that were kept long enough, as the leader does every CLEANUP_INTERVAL"


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only tell how many there are")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: BaseCommand, options: dict[str, Any]) -> None:
    if not options["dry_run"]:
        deleted = clean_everything()
        write_done(command, options, f"Deleted {deleted:,} job(s)", deleted=deleted)
        return
    expired = monitoring.jobs().filter(expires_at__lte=clock.now())
    counts = {state: monitoring.capped_count(expired.filter(state=state)) for state in sorted(states.ENDED)}
    if options["json"]:
        write_json(command, {"would_delete": {state: count.number for state, count in counts.items()}})
    else:
        write_table(command, ("state", "would be deleted"), list(counts.items()))
