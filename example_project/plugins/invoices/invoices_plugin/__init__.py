"""A plug-in that looks for invoices: JSON files that somebody has put into its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from django.core.mail import send_mail

from django_jobs import JobContext, Plugin, job


@dataclass(frozen=True)
class Config:
    """Of this plug-in alone: `invoices.toml` beside this file, and what the host sets over it."""

    inbox: str
    recipient: str
    limit: int = 100

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise ValueError("limit must be at least 1")


plugin = Plugin(Config, needs=["mail", "files"])


@job("EventTypeA", takes_context=True)
def check_for_invoices(ctx: JobContext) -> str:
    """Read what lies in the inbox, mail a list of it to accounting, and put it away."""
    inbox = Path(plugin.shared["files"], plugin.config.inbox)
    waiting = sorted(inbox.glob("*.json"))[: plugin.config.limit]
    if not waiting:
        ctx.log(f"No invoice in {inbox}")
        return "no new invoices"
    total = Decimal(0)
    for path in ctx.track(waiting, name="invoices"):
        amount = Decimal(str(json.loads(path.read_text())["amount"]))
        ctx.log(f"{path.stem}: {amount}", level="success")
        total += amount
    _tell([path.stem for path in waiting], total)
    for path in waiting:
        path.rename(path.with_suffix(".booked"))
    return f"{len(waiting)} invoices, {total}"


def _tell(numbers: list[str], total: Decimal) -> None:
    text = f"{', '.join(numbers)}: {total} in all."
    send_mail("New invoices", text, plugin.shared["mail"]["sender"], [plugin.config.recipient])
