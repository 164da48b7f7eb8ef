"""What follows a change of state once it is committed."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from .. import queues
from ..conf import settings

Bell = tuple[int, str, int]
"""Job id, queue name, priority."""


class Ringing:
    """The bells of one transaction (or savepoint): rung together, when it commits."""

    def __init__(self, front: bool) -> None:
        self.bells: list[Bell] = []
        self.front = front

    def __call__(self) -> None:
        queues.ring(self.bells, front=self.front)


def ring(bells: Iterable[Bell], *, front: bool = False) -> None:
    """Ring for enqueued jobs after the commit; at once outside a transaction. It never raises: the sweep rings later.

    `front` puts them before the jobs that wait.
    """
    bells = list(bells)
    if not bells:
        return
    if transaction.get_connection(settings.DATABASE).in_atomic_block:
        _joined(front).bells.extend(bells)
    else:
        queues.ring(bells, front=front)


def _joined(front: bool) -> Ringing:
    """The callback of this savepoint: a second call joins the first one's, so a transaction makes one push.

    A savepoint that is rolled back takes its own callback, and so its own bells, with it.
    """
    connection = transaction.get_connection(settings.DATABASE)
    if connection.run_on_commit:
        savepoints, callback = connection.run_on_commit[-1][:2]
        if isinstance(callback, Ringing) and callback.front == front and savepoints == set(connection.savepoint_ids):
            return callback
    ringing = Ringing(front)
    transaction.on_commit(ringing, using=settings.DATABASE, robust=True)
    return ringing
