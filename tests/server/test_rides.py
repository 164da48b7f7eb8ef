"""What is said to a work-horse: its work first and whole, then what is asked of the run, whoever asks and when."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from typing import Any, cast

import pytest
from django.conf import LazySettings

from django_jobs import clock, execution
from django_jobs.exceptions import JobTimeout
from django_jobs.models import Job
from django_jobs.server import horse
from django_jobs.server.zygote import NUMBER, Ride
from django_jobs.states.statements import Claimed
from tests.conformance.test_filters import RaisesWhenElecting, blame, use
from tests.servers import eventually


def heard(line: socket.socket, count: int) -> list[Any]:
    with line.makefile("rb") as stream:
        return [horse._read(stream) for _ in range(count)]


def test_orders_do_not_come_before_the_work_or_into_it() -> None:
    ours, theirs = socket.socketpair()
    ride = Ride((ours, socket.socket()), 0)
    ride.say("cancel")
    work = cast("horse.Work", "x" * 2_000_000)  # more than the line holds: it is said in parts
    saying = threading.Thread(target=ride.say_work, args=[work])
    saying.start()
    assert eventually(lambda: theirs.recv(1, socket.MSG_PEEK))
    ride.say("resume")
    assert heard(theirs, 3) == [work, "cancel", "resume"]
    saying.join()
    ride.say("pause")
    assert heard(theirs, 1) == ["pause"]
    ride.close()
    theirs.close()
    ride.say("resume")  # to a process that has ended


def test_a_job_that_closed_its_line_is_ended_at_its_hard_limit() -> None:
    (ours, theirs), (state, to_worker) = socket.socketpair(), socket.socketpair()
    deaf = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)

    def live() -> None:
        theirs.close()
        to_worker.sendall(NUMBER.pack(deaf.pid))
        deaf.wait()
        to_worker.sendall(NUMBER.pack(signal.SIGKILL))

    living = threading.Thread(target=live)
    living.start()
    with pytest.raises(JobTimeout, match="hard time limit of 0.5 seconds"):
        Ride((ours, state), 0.5).run(cast("horse.Work", "work"), lambda: False)
    living.join()
    for line in (ours, state, to_worker):
        line.close()


class Torn(LookupError):
    """Cannot be made of its arguments again, as unpickling would."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class TornText(UnicodeError):
    """Its nearest class of Python's own is made of a text."""

    def __reduce__(self) -> Any:
        raise TypeError("no")


class TornGroup(ExceptionGroup[Exception]):
    """Its nearest class is made of more than a text."""

    def __reduce__(self) -> Any:
        raise TypeError("no")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Torn("one", "two"), LookupError),
        (TornText("a"), UnicodeError),
        (TornGroup("a", [ValueError()]), Exception),
        (KeyError("a"), KeyError),
    ],
)
def test_an_error_reaches_the_worker_while_a_filter_raises(
    settings: LazySettings, error: Exception, kind: type[Exception]
) -> None:
    use(settings, RaisesWhenElecting)
    blame(Job(pk=7), "failed")
    job = Claimed(7, "tests.adds", "[]", "{}", 1, "default", 0, 0)
    run = execution.failure(job, clock.now(), error)
    told = horse.unframed(horse.framed(horse.portable(run)))
    assert told._replace(unsettled=None) == run._replace(unsettled=None)
    assert type(told.unsettled.error) is kind
