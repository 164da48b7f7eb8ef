"""Whole queues: paused at once everywhere, resumed with their bells, purged in sets; and weights."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_jobs import clock, monitoring, queues, steering
from django_jobs.exceptions import InvalidJob, UnknownQueue
from django_jobs.models import Job, Queue, Server, Waiter
from django_jobs.server import dispatcher, routing
from django_jobs.server.lists import Lists, parse
from django_jobs.states import machine
from tests.app.jobs import adds
from tests.app.limited import one_per_customer
from tests.servers import RunJobs, eventually

pytestmark = pytest.mark.django_db(transaction=True)


def claim(*jobs: Job) -> set[int]:
    return {job.id for job in machine.claim([job.pk for job in jobs], ["tests.adds"], "w/1")}


def test_nothing_is_claimed_from_a_paused_queue() -> None:
    here, there = adds.using(queue="critical").enqueue(1, 1), adds.enqueue(2, 2)
    steering.pause_queue("critical")
    assert claim(here, there) == {there.pk}
    steering.resume_queue("critical")
    assert claim(here) == {here.pk}


def test_a_pause_may_end_by_itself() -> None:
    job = adds.enqueue(1, 1)
    steering.pause_queue("default", until=timedelta(seconds=0.2))
    assert claim(job) == set()
    assert monitoring.paused_queues() == {"default"}
    time.sleep(0.25)
    assert monitoring.paused_queues() == set()
    assert claim(job) == {job.pk}


def test_bells_of_a_paused_queue_vanish_and_resuming_rings(live_server_row: Server) -> None:
    jobs = adds.enqueue_many([(n, n) for n in range(3)])
    steering.pause_queue("default")
    queues.connect("default", timeout=5).flushdb()
    assert routing.forward([job.pk for job in jobs], ["tests.adds"]) == [], "they do not come back by themselves"
    Job.objects.update(state_at=clock.now() - timedelta(minutes=1))
    dispatcher.sweep()
    assert queues.waiting("default") == set(), "the sweep leaves a paused queue alone"
    steering.resume_queue("default")
    assert queues.waiting("default") == {job.pk for job in jobs}


def test_a_purge_deletes_what_waits_and_nothing_else() -> None:
    waiting = adds.enqueue_many([(n, n) for n in range(3)])
    running, other, later = (
        adds.enqueue(1, 1),
        adds.using(queue="critical").enqueue(1, 1),
        adds.schedule(timedelta(hours=1), 1, 1),
    )
    claim(running)
    assert steering.purge_queue("default") == 3
    states = dict(Job.objects.values_list("pk", "state"))
    assert {states[job.pk] for job in waiting} == {"deleted"}
    assert [states[job.pk] for job in (running, other, later)] == ["processing", "enqueued", "scheduled"]
    assert Job.objects.filter(state="deleted").first().state_reason == "Purged with its queue"  # type: ignore[union-attr]


def test_what_waits_for_a_limit_is_counted_and_purged_with_its_queue() -> None:
    steering.limit_queue("critical", max_concurrency=1, rate_limit=None)
    running, *over = adds.using(queue="critical").enqueue_many([(n, n) for n in range(4)])
    assert claim(running, *over) == {running.pk}
    elsewhere = one_per_customer.enqueue_many([("c",)] * 2)
    machine.claim([job.pk for job in elsewhere], ["tests.one_per_customer"], "w/1")
    child = running.then(adds.using(queue="critical"), 1, 1)
    enqueued = adds.using(queue="critical").enqueue(1, 1)
    facts = monitoring.queue_waits()["critical"]
    assert (facts["waiting"], facts["oldest"]) == (monitoring.Count(4), enqueued.state_at)
    assert steering.purge_queue("critical") == 4
    states = dict(Job.objects.values_list("pk", "state"))
    assert {states[job.pk] for job in [*over, enqueued]} == {"deleted"}
    assert [states[job.pk] for job in (running, child, *elsewhere)] == [
        *("processing", "awaiting"),
        *("processing", "awaiting"),
    ]
    assert not Waiter.objects.filter(job__in=[job.pk for job in over]).exists()


@pytest.mark.parametrize("verb", [steering.pause_queue, steering.resume_queue, steering.purge_queue])
def test_an_unknown_queue_is_refused(verb: Callable[[str], object]) -> None:
    with pytest.raises(UnknownQueue, match="did you mean 'default'"):
        verb("defualt")
    assert not Queue.objects.exists()


def test_a_pause_until_nonsense_is_refused() -> None:
    with pytest.raises(InvalidJob, match="until"):
        steering.pause_queue("default", until="tomorrow")  # type: ignore[arg-type]


def test_workers_do_not_pop_lists_of_paused_queues() -> None:
    lists = Lists(["critical", "default"], "", {})
    assert lists.in_order()[0].startswith("rq:queue:critical")
    steering.pause_queue("critical")
    lists.refresh()
    assert all(key.startswith("rq:queue:default") for key in lists.in_order())
    steering.pause_queue("default")
    lists._read_at = 0
    assert lists.in_order() == []


def test_weights_are_drawn_and_none_starves() -> None:
    names, weights = parse(["critical:4", "default:2", "low-priority:1"])
    lists = Lists(names, "", weights)
    first = Counter(lists.in_order()[0].split(":")[2] for _ in range(7000))
    assert first["critical"] / 7000 == pytest.approx(4 / 7, abs=0.05)
    assert first["low-priority"] / 7000 == pytest.approx(1 / 7, abs=0.05)
    assert parse(["a", "b"]) == (["a", "b"], {})
    for wrong in ("a:0", "a:x", "a:-1", "a:inf"):
        with pytest.raises(ValueError, match="weight of a queue"):
            parse([wrong])


def test_the_command_pauses_and_tells() -> None:
    out = StringIO()
    call_command("jobs", "queues", "pause", "default", "--for", "60", stdout=out)
    assert "Queue default is paused for 60 s" in out.getvalue()
    out = StringIO()
    call_command("jobs", "queues", "--json", stdout=out)
    assert {name: facts["paused"] for name, facts in json.loads(out.getvalue()).items()} == {
        "critical": False,
        "default": True,
        "low-priority": False,
    }
    call_command("jobs", "queues", "resume", "default", stdout=out)
    adds.enqueue(1, 1)
    call_command("jobs", "queues", "purge", "default", stdout=out)
    assert "Deleted 1 job(s) that waited in queue default" in out.getvalue()
    call_command("jobs", "queues", stdout=out)
    with pytest.raises(CommandError, match="did you mean"):
        call_command("jobs", "queues", "pause", "defualt", stdout=out)


@pytest.mark.processes
def test_a_pause_holds_on_every_server_and_costs_other_queues_nothing(runjobs: Callable[..., RunJobs]) -> None:
    for _ in range(2):
        runjobs("--processes", "1", "--queues", "critical:4,default:1")
    steering.pause_queue("critical")
    held = adds.using(queue="critical").enqueue_many([(n, 1) for n in range(300)])
    free = adds.enqueue_many([(n, 1) for n in range(300)])
    assert [job.wait(20).result for job in free] == [n + 1 for n in range(300)]
    assert set(Job.objects.filter(queue="critical").values_list("state", flat=True)) == {"enqueued"}
    steering.resume_queue("critical")
    eventually(lambda: not Job.objects.exclude(state="succeeded").exists(), 20)
    assert all(job.wait(1).run == 1 for job in held[:5])
