"""The health probe's pulse beats only while the supervisor reaches the database."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

from django_jobs.models import Server
from django_jobs.server import supervisor
from django_jobs.server.process import ServerOptions

OPTIONS = ServerOptions(name="web1", queues=["default"], types=[], address="tests.1")


def away(*args: Any, **facts: Any) -> bool:
    raise OperationalError("the database is away")


def test_the_pulse_stops_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    one = supervisor.Supervisor(OPTIONS)
    one.row = Server(name="web1")
    one.pulse.beat(4)
    monkeypatch.setattr(supervisor, "sign_of_life", away)
    with pytest.raises(OperationalError):
        one._sign_of_life()
    assert one.pulse.read()[1] == 4, "nothing was written since"
    monkeypatch.setattr(supervisor, "sign_of_life", lambda *args, **facts: True)
    one._sign_of_life()
    assert one.pulse.read()[1] == 0
