"""One leader among many schedulers, by a lease in the database."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError
from django.db.models import Q

from .. import clock
from ..conf import settings
from ..models import Lease
from ..transactions import atomic

NAME = "scheduler"


class Leadership:
    """The lease, as one process sees it."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        self.held = False

    def hold(self) -> bool:
        """Take or renew the lease; whether this process leads.

        The lease runs for two thirds of ``LEADER_TIMEOUT``: with the pause between two looks, another process leads
        within that time of the leader's death.
        """
        now = clock.now()
        term = timedelta(seconds=settings.LEADER_TIMEOUT * 2 / 3)
        until = now + term
        # One that ends later than any term could was written before the clock stepped back; nobody renews it so.
        free = Q(holder=self.holder) | Q(until__lte=now) | Q(until__gt=now + 2 * term)
        leases = Lease.objects.using(settings.DATABASE).filter(free, name=NAME)
        self.held = bool(leases.update(holder=self.holder, until=until)) or self._first(until)
        return self.held

    def _first(self, until: datetime) -> bool:
        """Make the row where there is none yet; False when somebody else holds it or was quicker."""
        leases = Lease.objects.using(settings.DATABASE)
        if leases.filter(name=NAME).exists():
            return False
        try:
            with atomic():
                leases.create(name=NAME, holder=self.holder, until=until)
        except IntegrityError:
            return False
        return True

    def resign(self) -> None:
        """Let somebody else lead at once."""
        if self.held:
            Lease.objects.using(settings.DATABASE).filter(name=NAME, holder=self.holder).update(until=clock.now())
            self.held = False
