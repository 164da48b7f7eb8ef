"""What every database must do alike: the suite runs once for each of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from django_jobs import clock, monitoring, states
from django_jobs.models import Counter, Job, JobState
from django_jobs.states import machine, moves
from django_jobs.states.dialects.mariadb import portions
from django_jobs.states.moves import Target
from django_jobs.states.statements import Finish
from tests.app.jobs import adds, succeeds

pytestmark = pytest.mark.django_db(transaction=True)

TYPES = ["tests.adds", "tests.succeeds"]
ME = "server/1"


def ended(job: Job, run: int = 1, state: str = states.SUCCEEDED, result: object = None, reason: str = "") -> Finish:
    now = clock.now()
    text = None if result is None else json.dumps(result)
    failed = int(state == states.FAILED)
    return Finish(job.pk, run, state, reason, now, now, text, '{"seconds": 0}', timedelta(days=1), failed)


def states_of(jobs: list[Job]) -> list[str]:
    found = dict(Job.objects.values_list("pk", "state"))
    return [found[job.pk] for job in jobs]


def test_a_claim_takes_only_enqueued_jobs_of_known_types() -> None:
    jobs = adds.enqueue_many([(1, 1), (2, 2), (3, 3)])
    other = succeeds.enqueue()
    later = adds.schedule(timedelta(hours=1), 1, 1)
    ids = [job.pk for job in [*jobs, other, later]]
    claimed = machine.claim([*ids, 10**9], ["tests.adds"], ME)
    assert sorted(job.id for job in claimed) == [job.pk for job in jobs]
    assert [json.loads(job.args) for job in sorted(claimed)] == [[1, 1], [2, 2], [3, 3]]
    assert states_of([*jobs, other, later]) == ["processing"] * 3 + ["enqueued", "scheduled"]


def test_a_claim_of_nothing_is_nothing() -> None:
    assert machine.claim([], TYPES, ME) == []
    assert machine.claim([1], [], ME) == []


def test_a_job_that_came_too_late_is_not_claimed() -> None:
    job = adds.using(expires=timedelta(seconds=-1)).enqueue(1, 1)
    assert machine.claim([job.pk], TYPES, ME) == []


def test_each_run_of_a_set_ends_as_it_ended() -> None:
    jobs = adds.enqueue_many([(n, n) for n in range(4)])
    machine.claim([job.pk for job in jobs], TYPES, ME)
    nasty = {"text": "ä 漢 \"quoted\" 'single' \\ % %s {x}", "list": [1, None, 2.5]}
    answer = machine.acknowledge(
        [
            ended(jobs[0], result=nasty),
            ended(jobs[1]),
            ended(jobs[2], state=states.FAILED, reason="ValueError: ä%s"),
            ended(jobs[3], run=7),
        ],
        ME,
    )
    assert [run.id for run in answer.stale] == [jobs[3].pk]
    assert states_of(jobs) == ["succeeded", "succeeded", "failed", "processing"]
    rows = Job.objects.in_bulk([job.pk for job in jobs])
    assert rows[jobs[0].pk].result == nasty
    assert rows[jobs[1].pk].result is None
    assert (rows[jobs[2].pk].state_reason, rows[jobs[2].pk].failures) == ("ValueError: ä%s", 1)
    assert rows[jobs[0].pk].expires_at == rows[jobs[0].pk].finished_at + timedelta(days=1)
    assert JobState.objects.filter(job=jobs[3]).count() == 1


def test_a_set_of_large_results_is_recorded() -> None:
    jobs = adds.enqueue_many([(n, n) for n in range(80)])
    machine.claim([job.pk for job in jobs], TYPES, ME)
    large = {"text": '"ä" ' * 40_000}
    assert len(machine.acknowledge([ended(job, result=large) for job in jobs], ME).done) == 80
    assert states_of(jobs) == ["succeeded"] * 80
    assert Job.objects.get(pk=jobs[-1].pk).result == large


@pytest.mark.parametrize(("sizes", "expected"), [([1], [1]), ([600_000] * 3, [1, 1, 1]), ([400_000] * 5, [2, 2, 1])])
def test_what_one_statement_of_mariadb_takes_is_bounded(sizes: list[int], expected: list[int]) -> None:
    found = list(portions(["x" * size for size in sizes]))
    assert [len(part) for part in found] == expected


def test_a_run_acknowledged_twice_counts_once() -> None:
    job = adds.enqueue(1, 1)
    machine.claim([job.pk], TYPES, ME)
    assert machine.acknowledge([ended(job)], ME).done
    assert machine.acknowledge([ended(job)], ME).stale
    assert JobState.objects.filter(job=job, name="succeeded").count() == 1
    assert sum(Counter.objects.filter(name="succeeded").values_list("value", flat=True)) == 1


def test_another_worker_cannot_acknowledge() -> None:
    job = adds.enqueue(1, 1)
    machine.claim([job.pk], TYPES, ME)
    assert machine.acknowledge([ended(job)], "server/2").stale


def test_times_come_back_as_they_were_written() -> None:
    job = adds.enqueue(1, 1)
    before = clock.now()
    machine.claim([job.pk], TYPES, ME)
    run = ended(job)
    machine.acknowledge([run], ME)
    job.refresh_from_db()
    assert job.started_at == run.started_at
    assert job.finished_at == run.finished_at == job.state_at
    assert before <= job.history()[1].created_at <= clock.now()


def test_an_exchange_acknowledges_and_claims_together() -> None:
    first, second = adds.enqueue_many([(1, 1), (2, 2)])
    machine.claim([first.pk], TYPES, ME)
    answer, claimed = machine.exchange([ended(first)], [second.pk], TYPES, ME)
    assert [run.id for run in answer.done] == [first.pk]
    assert [job.id for job in claimed] == [second.pk]


def test_a_move_answers_which_jobs_it_moved() -> None:
    waiting, running = adds.enqueue_many([(1, 1), (2, 2)])
    machine.claim([running.pk], TYPES, ME)
    moved = machine.move([waiting.pk, running.pk], Target(states.DELETED, "test"), expected={states.ENQUEUED})
    assert [(row.id, row.was) for row in moved] == [(waiting.pk, "enqueued")]
    assert states_of([waiting, running]) == ["deleted", "processing"]


def test_an_illegal_move_is_refused_before_anything_is_written() -> None:
    job = adds.enqueue(1, 1)
    with pytest.raises(ValueError, match="No job may move from enqueued to succeeded"):
        machine.move([job.pk], Target(states.SUCCEEDED), expected={states.ENQUEUED})
    assert states_of([job]) == ["enqueued"]


def test_a_move_of_more_than_one_set_moves_all() -> None:
    jobs = adds.enqueue_many([(n, 0) for n in range(2 * moves.SET_SIZE + 5)])
    moved = machine.move([job.pk for job in jobs], Target(states.DELETED, "all"), expected={states.ENQUEUED})
    assert len(moved) == len(jobs)
    assert monitoring.counts()["deleted"].number == len(jobs)


def test_a_job_given_back_keeps_its_attempt_and_loses_its_fence() -> None:
    job = adds.enqueue(1, 1)
    (claimed,) = machine.claim([job.pk], TYPES, ME)
    assert machine.give_back([(job.pk, 99)], ME, "wrong run") == []
    assert len(machine.give_back([(job.pk, claimed.run)], ME, "behind a long one")) == 1
    job.refresh_from_db()
    assert (job.state, job.attempt, job.run) == ("enqueued", 1, 1)
    assert machine.acknowledge([ended(job)], ME).stale


def test_a_release_puts_back_all_that_a_worker_held() -> None:
    jobs = adds.enqueue_many([(n, 0) for n in range(5)])
    machine.claim([job.pk for job in jobs[:3]], TYPES, ME)
    machine.claim([jobs[3].pk], TYPES, "server/2")
    assert len(machine.release(ME, "it died")) == 3
    assert states_of(jobs) == ["enqueued"] * 3 + ["processing", "enqueued"]


GOING_BACK: dict[str, Callable[[Job], Any]] = {
    "release": lambda job: machine.release(ME, "it is gone"),
    "bury": lambda job: machine.bury(job.pk, ME, "it died"),
}


@pytest.mark.parametrize("way", GOING_BACK)
def test_a_job_that_began_in_time_does_not_expire_when_it_goes_back(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    job = adds.using(expires=timedelta(minutes=1)).enqueue(1, 1)
    machine.claim([job.pk], TYPES, ME)
    GOING_BACK[way](job)
    moment = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: moment)
    assert len(machine.claim([job.pk], TYPES, ME)) == 1


def test_a_claim_that_was_not_confirmed_began_nothing_and_may_still_expire() -> None:
    job = adds.using(expires=timedelta(minutes=1)).enqueue(1, 1)
    (claimed,) = machine.claim([job.pk], TYPES, ME)
    machine.give_back([(job.pk, claimed.run)], ME, "Put back: the claim was not confirmed")
    given = job.start_before
    job.refresh_from_db()
    assert (job.state, job.start_before) == ("enqueued", given)
    assert given is not None


def test_the_third_death_quarantines_the_job_and_a_requeue_starts_afresh() -> None:
    job = adds.enqueue(1, 1)
    for expected in ("enqueued", "enqueued", "failed"):
        machine.claim([job.pk], TYPES, ME)
        assert machine.bury(job.pk, ME, "Worker server/1 died: signal SIGKILL") == expected
    job.refresh_from_db()
    assert job.deaths == 3
    assert "it is the 3th worker" not in job.state_reason
    assert "third" in job.state_reason
    assert machine.bury(job.pk, ME, "again") == ""
    assert job.requeue()
    job.refresh_from_db()
    assert (job.state, job.deaths) == ("enqueued", 0)


def test_due_jobs_are_moved_in_order_and_bounded() -> None:
    soon = adds.schedule(timedelta(seconds=30), 1, 1)
    sooner = adds.schedule(timedelta(seconds=20), 1, 1)
    later = adds.schedule(timedelta(hours=2), 1, 1)
    at = clock.now() + timedelta(minutes=1)
    assert [row.id for row in machine.move_due(at, limit=1)] == [sooner.pk]
    assert [row.id for row in machine.move_due(at)] == [soon.pk]
    assert machine.move_due(at) == []
    assert states_of([later]) == ["scheduled"]


def test_a_requeued_success_leaves_the_count_of_successes() -> None:
    job = adds.enqueue(1, 1)
    machine.claim([job.pk], TYPES, ME)
    machine.acknowledge([ended(job)], ME)
    assert monitoring.counts()["succeeded"].number == 1
    assert job.requeue()
    assert monitoring.counts()["succeeded"].number == 0


def test_a_rolled_back_acknowledgement_leaves_the_job_processing() -> None:
    job = adds.enqueue(1, 1)
    machine.claim([job.pk], TYPES, ME)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        machine.acknowledge([ended(job)], ME)
        raise ZeroDivisionError
    assert states_of([job]) == ["processing"]
    assert not Counter.objects.exists()


def test_explaining_changes_no_state() -> None:
    job = adds.enqueue(1, 1)
    machine.explain([job.pk], "No worker knows this type")
    job.refresh_from_db()
    assert (job.state, job.state_reason) == ("enqueued", "No worker knows this type")
    machine.claim([job.pk], TYPES, ME)
    job.refresh_from_db()
    assert job.state_reason == ""
