"""The same request twice: a client that heard no answer sends it again under the same key, and nothing is doubled."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from .. import clock, monitoring
from ..conf import settings
from ..models import IdempotencyKey, Job
from ..transactions import atomic
from .errors import Conflict, Mismatch

NAME = "Idempotency-Key"
LONGEST = 200
KEY = OpenApiParameter(
    NAME,
    {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="Names the request. Sent again within 24 hours, it makes nothing new: the answer has the same jobs.",
)
TRIES = 10


def once(request: Request, make: Callable[[], list[Job]]) -> list[Job]:
    """The jobs that `make` stores; those of the first time, where the request has the key of an earlier one.

    Of requests that come at the same moment one stores, the others wait for its commit.
    """
    given = request.headers.get(NAME)
    if given is None:
        return make()
    key, asked = _digest(request.user.pk, _checked(given)), _digest(request.path, request.data)
    for last in (*[False] * (TRIES - 1), True):
        try:
            with atomic():
                if _take(key, asked):
                    jobs = make()
                    _rows().filter(pk=key).update(jobs=[job.pk for job in jobs])
                    return jobs
        except OperationalError:  # the victim of a deadlock: the others with this key are done with it by now
            if last or transaction.get_connection(settings.DATABASE).in_atomic_block:
                raise
            time.sleep(random.uniform(0, 0.05))
        row = _rows().filter(pk=key).first()
        if row is not None and row.created_at >= _oldest():
            return _told_before(row, asked)
    raise Conflict(f"Another request with this {NAME} is being worked on.")


def _checked(key: str) -> str:
    if not (0 < len(key) <= LONGEST and all("!" <= letter <= "~" for letter in key)):
        raise ValidationError({NAME: [f"has 1 to {LONGEST} letters, digits and signs of ASCII, without spaces"]})
    return key


def _digest(*parts: object) -> str:
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _rows() -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.using(settings.DATABASE)


def _take(key: str, asked: str) -> bool:
    """Make the key ours; False where it is somebody else's. Who holds it uncommitted is waited for."""
    try:
        with atomic():
            _rows().create(pk=key, request=asked, created_at=clock.now())
    except IntegrityError:
        return bool(_rows().filter(pk=key, created_at__lt=_oldest()).delete()[0]) and _take(key, asked)
    return True


def _oldest() -> datetime:
    return clock.now() - IdempotencyKey.KEPT


def _told_before(row: IdempotencyKey, asked: str) -> list[Job]:
    if row.request != asked:
        raise Mismatch(f"This {NAME} came with another request before; take a new key for a new request.")
    found = monitoring.jobs().in_bulk(row.jobs)
    if gone := [pk for pk in row.jobs if pk not in found]:
        raise Conflict(f"This request made jobs that are no longer stored: {', '.join(map(str, gone[:10]))}.")
    return [found[pk] for pk in row.jobs]
