"""Handlers of brokers' events, named by what they do to the consumer."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from django.db import transaction

from django_jobs.client import enqueue
from django_jobs.contrib.broker import Event, on_event


def _job(event: Event) -> Any:
    return enqueue("tests.succeeds", [((event.data["invoice"],), {})])


@on_event("InvoiceCreated")
def invoice_created(event: Event) -> None:
    _job(event)


def _die(first_time: str) -> None:
    """SIGKILL, if that file is there to be taken away."""
    if Path(first_time).exists():
        Path(first_time).unlink()
        os.kill(os.getpid(), signal.SIGKILL)


@on_event("DiesBeforeTheCommit")
def dies_before_the_commit(event: Event) -> None:
    _job(event)
    _die(event.data["file"])


@on_event("DiesAfterTheCommit")
def dies_after_the_commit(event: Event) -> None:
    _job(event)
    transaction.on_commit(lambda: _die(event.data["file"]))
