"""Events are read in full although their ids do not commit in order."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections, transaction

from django_jobs import feed
from django_jobs.feed import Gap, Mark, Place
from tests.app.jobs import succeeds
from tests.dashboard.conftest import claim, finish

NOW = 1_000_000


def test_what_was_missing_is_looked_for_until_it_comes() -> None:
    mark = Mark(10).after([12, 15], NOW, 300)
    assert mark == Mark(15, (Gap(11, 11, NOW), Gap(13, 14, NOW)))
    mark = mark.after([13], NOW + 1, 300)
    assert mark.gaps == (Gap(11, 11, NOW), Gap(14, 14, NOW))
    assert mark.after([11, 14, 16], NOW + 2, 300) == Mark(16)
    assert mark.after([], NOW + 300, 300) == Mark(15)


def test_a_place_comes_back_from_its_text() -> None:
    place = Place(Mark(15, (Gap(11, 11, NOW), Gap(13, 14, NOW))), Mark(7))
    assert Place.parse(str(place)) == place
    many = Mark(10_000, tuple(Gap(at, at, NOW) for at in range(1, 1000, 2)))
    back = Place.parse(f"{many}.0").states
    assert len(back.gaps) == feed.MOST_WRITTEN
    for number in range(1, 1000, 2):
        assert any(gap.first <= number <= gap.last for gap in back.gaps)


@pytest.mark.parametrize(
    "text", ["", "5", "5.", "a.b", "5.6.7", "5~1.6", "-1.0", "5~1-2-3-4.0", "9" * 19 + ".0", "٥.0"]
)
def test_a_text_that_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no place"):
        Place.parse(text)


def test_any_order_of_commits_is_read_once_each() -> None:
    chance = random.Random(7)
    for _ in range(200):
        ids = list(range(1, 60))
        hidden = set(ids)
        mark, read = Mark(), []
        while hidden:
            low = sorted(hidden)[: chance.randint(1, 12)]  # what is in flight at a time
            hidden -= set(chance.sample(low, chance.randint(1, len(low))))
            seen = [
                one
                for one in ids
                if one not in hidden and (one > mark.high or any(gap.first <= one <= gap.last for gap in mark.gaps))
            ][: chance.randint(1, 9)]
            read += seen
            mark = Place.parse(f"{mark.after(seen, NOW, 300)}.0").states
        rest = [one for one in ids if one > mark.high or any(gap.first <= one <= gap.last for gap in mark.gaps)]
        assert sorted(read + rest) == ids


pytestmark = pytest.mark.django_db(transaction=True)


def keys(place: Place) -> tuple[list[str], Place]:
    found, then, _ = feed.read(place)
    return [event.key for event in found], then


def test_a_job_is_told_from_its_creation_to_its_end() -> None:
    place = feed.now()
    job = succeeds.enqueue()
    claim(job)
    finish(job)
    found, then, more = feed.read(place)
    assert [(event.job, event.state, event.run) for event in found] == [
        (job.pk, "enqueued", 0),
        (job.pk, "processing", 1),
        (job.pk, "succeeded", 1),
    ]
    assert not more
    assert feed.read(then)[0] == []


def test_pages_leave_nothing_out() -> None:
    place = feed.now()
    made = [f"j{succeeds.enqueue().pk}" for _ in range(7)]
    until, read, more = feed.now(), [], True
    later = succeeds.enqueue()
    while more:
        found, place, more = feed.read(place, until=until, limit=3)
        read += [event.key for event in found]
    assert read == made
    assert keys(until)[0] == [f"j{later.pk}"]


@contextmanager
def elsewhere(done: threading.Event) -> Iterator[list[Any]]:
    """A job that another transaction stores; it commits when `done` is set."""
    stored, made = threading.Event(), []

    def work() -> None:
        with transaction.atomic():
            made.append(succeeds.enqueue())
            stored.set()
            done.wait(20)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    stored.wait(20)
    yield made
    done.set()
    thread.join(20)


def test_what_commits_late_is_not_lost() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("has one writer at a time")
    succeeds.enqueue()
    place = feed.now()
    done = threading.Event()
    with elsewhere(done) as late:
        early = succeeds.enqueue()
        seen, place = keys(place)
        assert seen == [f"j{early.pk}"]
        fresh = feed.now()  # somebody who begins in between does not miss it either
    assert keys(Place.parse(str(place)))[0] == [f"j{late[0].pk}"]
    assert f"j{late[0].pk}" in keys(fresh)[0]


def test_many_writers_and_one_reader() -> None:
    """Transactions of all lengths, some rolled back: each change is read once, wherever the reader stood meanwhile."""
    committed: list[int] = []
    place, read = feed.now(), []

    def write(number: int) -> None:
        chance = random.Random(number)
        for _ in range(25):
            try:
                with transaction.atomic():
                    made = [succeeds.enqueue().pk for _ in range(chance.randint(1, 3))]
                    time.sleep(chance.random() * 0.02)
                    if chance.random() < 0.2:
                        raise ArithmeticError
                committed.extend(made)
            except ArithmeticError:
                pass
        connections.close_all()

    threads = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found, place, _ = feed.read(Place.parse(str(place)), limit=5)
        read += [event.job for event in found]
    more = True
    while more:
        found, place, more = feed.read(Place.parse(str(place)))
        read += [event.job for event in found]
    assert sorted(read) == sorted(committed)
    assert len(committed) > 100
