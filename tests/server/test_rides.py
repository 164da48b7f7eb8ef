"""What is said to a work-horse: its work first and whole, then what is asked of the run, whoever asks and when."""

from __future__ import annotations

import socket
import threading
from typing import Any, cast

from django_jobs.server import horse
from django_jobs.server.zygote import Ride
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
