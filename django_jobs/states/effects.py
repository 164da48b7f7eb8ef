"""What follows a change of state once it is committed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.db import transaction

from .. import events, queues
from ..conf import settings
from ..queues import Order

Bell = tuple[int, str, int]
"""Job id, queue name, priority."""


def tell(orders: Iterable[Order]) -> None:
    """Send orders to running jobs after the commit; at once outside a transaction. It never raises."""
    given = list(orders)
    transaction.on_commit(lambda: queues.send(given), using=settings.DATABASE, robust=True)


_held: ContextVar[list[Bell] | None] = ContextVar("django_jobs_held_bells", default=None)


@contextmanager
def rung_together() -> Iterator[None]:
    """Hold the bells of transactions that commit in here, and ring them at its end.

    Whoever makes thousands of jobs in several sets is not slowed down by workers that run the first ones meanwhile.
    """
    held: list[Bell] = []
    token = _held.set(held)
    try:
        yield
    finally:
        _held.reset(token)
        if held:
            push(held)


def push(bells: list[Bell], *, front: bool = False) -> None:
    """Ring now. Bells of queues that only another application knows are told to its scheduler, which rings them."""
    queues.ring(bells, front=front)
    known = {*queues.names()}
    if strange := [bell for bell in bells if bell[1] not in known]:
        events.publish("strange", bells=strange, front=front)


class Ringing:
    """The bells of one transaction (or savepoint): rung together, when it commits."""

    def __init__(self, front: bool) -> None:
        self.bells: list[Bell] = []
        self.front = front
        self.__qualname__ = type(self).__qualname__  # Django 5.2 names a callback that raised by it

    def __call__(self) -> None:
        held = _held.get()
        if held is None or self.front:
            push(self.bells, front=self.front)
        else:
            held.extend(self.bells)


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
        push(bells, front=front)


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
