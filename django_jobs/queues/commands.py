"""Orders for running jobs, by RQ's command channel of their worker. Safe to lose: workers also look in SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from django.conf import settings as django_settings
from rq.command import send_command

from .lines import line

COMMAND = "dj-order"


class Order(NamedTuple):
    """What one run is to hear: `word` is one of `control`'s."""

    word: str
    queue: str
    worker: str
    job_id: int
    run: int


def send(orders: Iterable[Order]) -> None:
    """One command for each worker and word. Never raises for a Redis that is away."""
    by_queue: dict[str, dict[tuple[str, str], list[tuple[int, int]]]] = defaultdict(lambda: defaultdict(list))
    for order in orders:
        by_queue[order.queue][order.worker, order.word].append((order.job_id, order.run))
    for queue, commands in by_queue.items():
        if queue not in django_settings.RQ_QUEUES:
            continue
        with line(queue).attempt("running jobs hear of their cancellation or pause within 5 s") as client:
            if client is not None:
                for (worker, word), runs in commands.items():
                    send_command(client, worker, COMMAND, word=word, runs=runs)
