"""Filters: what takes part in the changes of a job's state, in their transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings

from django_jobs import Filter, client, clock, execution, states
from django_jobs.exceptions import FilterFailed, InvalidJob
from django_jobs.models import Counter, Job
from django_jobs.policies import continuations
from django_jobs.server import dispatcher, keeper
from django_jobs.states import filters, machine, patience
from django_jobs.states.elections import Election
from django_jobs.states.filters import Change
from django_jobs.states.moves import Target
from django_jobs.states.statements import Claimed
from tests.app.jobs import adds, fails, fails_twice, succeeds
from tests.conformance.test_machine import ME, ended

pytestmark = pytest.mark.django_db(transaction=True)


class Notes(Filter):
    seen: list[tuple[str, str]] = []

    def applied(self, changes: Sequence[Change]) -> None:
        Notes.seen += [(change.was, change.state) for change in changes]


class Refuses(Filter):
    def applied(self, changes: Sequence[Change]) -> None:
        raise LookupError("no")


def use(settings: LazySettings, *filters: type[Filter]) -> None:
    Notes.seen = []
    settings.DJANGO_JOBS = {
        **settings.DJANGO_JOBS,
        "FILTERS": [f"{one.__module__}.{one.__qualname__}" for one in filters],
    }


def test_a_filter_sees_every_change_in_order(settings: LazySettings) -> None:
    use(settings, Notes)
    job = succeeds.enqueue()
    machine.claim([job.pk], ["tests.succeeds"], ME)
    machine.acknowledge([ended(job)._replace(job_type="tests.succeeds")], ME)
    client.requeue([job.pk])
    seen = [("enqueued", "processing"), ("processing", "succeeded"), ("succeeded", "enqueued")]
    assert Notes.seen == seen


def test_a_filter_that_raises_undoes_the_change(settings: LazySettings) -> None:
    job = succeeds.enqueue()
    use(settings, Refuses)
    with pytest.raises(FilterFailed, match=r"Refuses raised LookupError: no"):
        client.cancel([job.pk])
    assert Job.objects.get(pk=job.pk).state == states.ENQUEUED


# Elections


class Elects(Filter):
    """Does as the test says."""

    wish: Callable[[Election], None]
    seen: list[Election] = []

    def elect(self, election: Election) -> None:
        Elects.seen.append(election)
        Elects.wish(election)


@pytest.fixture
def elect(settings: LazySettings) -> Callable[[Callable[[Election], None]], None]:
    def set_up(wish: Callable[[Election], None]) -> None:
        Elects.seen = []
        Elects.wish = staticmethod(wish)  # type: ignore[assignment]
        use(settings, Elects, Notes)

    return set_up


def when(state: str, *instead: Any, **options: Any) -> Callable[[Election], None]:
    return lambda election: election.replace(*instead, **options) if election.state == state else None


def claim(*jobs: Job) -> list[Claimed]:
    return machine.claim([job.pk for job in jobs], [job.job_type for job in jobs], ME)


def run(job: Job) -> Job:
    (claimed,) = claim(job)
    answer = machine.acknowledge([execution.run(claimed, ME)], ME)
    assert answer.done, answer
    job.refresh_from_db()
    return job


def told(job: Job) -> list[tuple[str, str]]:
    return [(entry.name, entry.reason) for entry in job.history()][2:]


def counted() -> dict[str, int]:
    sums: dict[str, int] = {}
    for counter in Counter.objects.all():
        sums[counter.name] = sums.get(counter.name, 0) + counter.value
    return {name: value for name, value in sums.items() if value}


def test_a_failed_run_may_be_deleted_before_the_retry_policy_is_asked(elect: Any) -> None:
    elect(when("failed", "deleted", "Nobody cares"))
    job = run(fails_twice.enqueue())
    assert (job.state, job.failures) == ("deleted", 1)
    assert told(job) == [("failed", "ConnectionError: attempt 1"), ("deleted", "Nobody cares")]
    (election,) = (seen for seen in Elects.seen if isinstance(seen.error, ConnectionError))
    assert (election.was, election.attempt, election.job.pk) == ("processing", 1, job.pk)
    assert counted() == {"deleted": 1}
    assert job.expires_at is not None
    assert Notes.seen[-2:] == [("processing", "failed"), ("failed", "deleted")]


def test_a_failed_run_may_be_tried_again_when_the_filter_says(elect: Any) -> None:
    elect(when("failed", "scheduled", at=timedelta(hours=3)))
    job = run(fails.enqueue())
    assert (job.state, job.scheduled_at - job.finished_at) == ("scheduled", timedelta(hours=3))
    assert told(job)[-1] == ("scheduled", "By filter tests.conformance.test_filters.Elects")
    assert counted() == {"retried": 1}


def test_a_run_that_succeeded_may_lead_on(elect: Any) -> None:
    elect(when("succeeded", "scheduled", "And again", at=timedelta(minutes=1)))
    job = run(adds.enqueue(1, 2))
    assert (job.state, job.result, told(job)) == ("scheduled", 3, [("succeeded", ""), ("scheduled", "And again")])
    assert counted() == {"succeeded": 1, "succeeded.left": 1}
    elect(when("succeeded", "deleted", "Keep nothing"))
    other = run(adds.enqueue(1, 2))
    assert (other.state, other.expires_at - other.finished_at) == ("deleted", timedelta(days=1))


@pytest.mark.parametrize(
    ("instead", "state"), [(("deleted",), "deleted"), (("failed",), "failed"), (("enqueued",), "enqueued")]
)
def test_a_job_may_be_kept_from_starting(elect: Any, instead: tuple[str], state: str) -> None:
    elect(when("processing", *instead, "Not now"))
    job = run(adds.enqueue(1, 2))
    assert (job.state, job.result, job.state_reason) == (state, None, "Not now")


def test_a_job_may_be_put_off_when_it_is_to_start(elect: Any) -> None:
    elect(when("processing", "scheduled", "At night", at=timedelta(hours=5)))
    job = run(adds.enqueue(1, 2))
    assert (job.state, job.failures, told(job)) == ("scheduled", 0, [("scheduled", "At night")])
    assert timedelta(hours=4) < job.scheduled_at - clock.now() <= timedelta(hours=5)
    elect(lambda election: None)
    job.requeue()
    assert run(job).result == 3


def test_the_target_of_a_verb_may_be_replaced(elect: Any) -> None:
    job, other = adds.enqueue_many([(1, 2), (3, 4)])

    def spare(election: Election) -> None:
        if election.job_id == job.pk:
            election.replace("scheduled", "Reprieved", at=timedelta(hours=1))

    elect(spare)
    assert client.cancel([job.pk, other.pk]) == [other.pk]
    job.refresh_from_db()
    assert (job.state, job.expires_at) == ("scheduled", None)
    entry = job.history()[-1]
    assert (entry.name, entry.reason, entry.data) == ("scheduled", "Reprieved", {"instead_of": "deleted"})
    assert Job.objects.get(pk=other.pk).state == "deleted"


def test_a_job_that_is_due_may_be_put_off(elect: Any) -> None:
    job = adds.schedule(timedelta(hours=1), 1, 2)
    elect(when("enqueued", "scheduled", "Full", at=timedelta(hours=4)))
    moved = machine.move_due(clock.now() + timedelta(hours=2))
    assert [(row.id, row.was, row.state) for row in moved] == [(job.pk, "scheduled", "scheduled")]
    job.refresh_from_db()
    assert job.scheduled_at > clock.now() + timedelta(hours=3)


@pytest.mark.parametrize("text", ["no\0", "no\ud800", "no" * 200])
def test_a_reason_that_no_database_takes_holds_up_nobody(elect: Any, text: str) -> None:
    elect(when("enqueued", "deleted", text))
    job = adds.schedule(timedelta(seconds=1), 1, 2)
    assert [row.state for row in machine.move_due(clock.now() + timedelta(minutes=1))] == ["deleted"]
    job.refresh_from_db()
    assert job.state_reason.startswith("no")


def test_a_quarantined_job_is_not_tried_again_but_by_a_filter(elect: Any) -> None:
    job = fails_twice.enqueue()
    for _ in range(3):
        claim(job)
        machine.bury(job.pk, ME, "died")
    job.refresh_from_db()
    assert (job.state, job.deaths) == ("failed", 3)
    elect(when("failed", "deleted", "Buried"))
    other = adds.enqueue(1, 2)
    Job.objects.filter(pk=other.pk).update(deaths=2)
    claim(other)
    assert machine.bury(other.pk, ME, "died") == "deleted"
    other.refresh_from_db()
    assert (other.state, other.deaths, [name for name, _ in told(other)]) == ("deleted", 3, ["failed", "deleted"])


def test_scheduled_for_a_time_that_has_come_is_enqueued(elect: Any) -> None:
    elect(when("failed", "scheduled", at=timedelta(0)))
    assert run(fails.enqueue()).state == "enqueued"


@pytest.mark.parametrize(("instead", "message"), [(("awaiting",), "No job may move"), (("scheduled",), "for when")])
def test_only_legal_moves_can_be_elected(elect: Any, instead: tuple[str], message: str) -> None:
    job = adds.enqueue(1, 2)
    machine.move([job.pk], Target("scheduled", "", {}, {"scheduled_at": clock.now()}), expected={"enqueued"})
    elect(when("deleted", *instead))
    with pytest.raises(FilterFailed, match=message):
        job.cancel()
    assert Job.objects.get(pk=job.pk).state == "scheduled"


# Filters that raise


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Four tries, at once: a pause of nothing is over when it begins."""
    for module in (patience, machine):
        monkeypatch.setattr(module, "PAUSES", (0.0, 0.0, 0.0))
    yield
    patience.patience._tries.clear()


class Culprit:
    """The job for which filters raise, and in which state."""

    id = 0
    state = ""
    tries = 0

    @classmethod
    def look(cls, job_id: int, state: str) -> None:
        if (job_id, state) == (cls.id, cls.state):
            cls.tries += 1
            raise LookupError("private: no such table")


class RaisesWhenApplied(Filter):
    def applied(self, changes: Sequence[Change]) -> None:
        for change in changes:
            Culprit.look(change.id, change.state)


class RaisesWhenElecting(Filter):
    def elect(self, election: Election) -> None:
        Culprit.look(election.job_id, election.state)


def blame(job: Job, state: str) -> None:
    Culprit.id, Culprit.state, Culprit.tries = job.pk, state, 0


both = pytest.mark.parametrize("kind", [RaisesWhenApplied, RaisesWhenElecting])


def is_failed_by(job: Job, kind: type[Filter]) -> None:
    job.refresh_from_db()
    assert (job.state, job.result) == ("failed", None)
    assert job.state_reason == f"Filter tests.conformance.test_filters.{kind.__name__} raised LookupError"
    assert job.history()[-1].data == {"exception": "LookupError", "message": "private: no such table"}
    assert Culprit.tries == 4


@both
def test_the_end_of_one_run_holds_up_no_other(settings: LazySettings, kind: type[Filter]) -> None:
    jobs = adds.enqueue_many([(number, 0) for number in range(7)])
    use(settings, kind, Notes)
    blame(jobs[3], "succeeded")
    runs = [execution.run(job, ME) for job in claim(*jobs)]
    Culprit.tries = 0
    answer = machine.acknowledge(runs, ME)
    assert sorted(run.id for run in answer.done) == [job.pk for job in jobs if job != jobs[3]]
    assert [run.id for run in answer.waiting] == [jobs[3].pk]
    assert answer.stale == []
    Culprit.tries = 1
    for _ in range(2):
        answer = machine.acknowledge(answer.waiting, ME)
        assert (answer.done, answer.stale) == ([], [])
    assert machine.acknowledge(answer.waiting, ME).done
    is_failed_by(jobs[3], kind)
    assert counted() == {"succeeded": 6, "failed": 1}


@both
def test_a_run_is_recorded_when_the_filter_recovers(settings: LazySettings, kind: type[Filter]) -> None:
    job = adds.enqueue(1, 2)
    use(settings, kind)
    blame(job, "succeeded")
    (claimed,) = claim(job)
    answer = machine.acknowledge([execution.run(claimed, ME)], ME)
    assert answer.waiting
    Culprit.id = 0
    assert machine.acknowledge(answer.waiting, ME).done
    job.refresh_from_db()
    assert (job.state, job.result) == ("succeeded", 3)


def test_a_run_with_a_raising_filter_does_not_keep_the_next_set_from_being_claimed(settings: LazySettings) -> None:
    job, other, following = adds.enqueue_many([(1, 2), (3, 4), (5, 6)])
    use(settings, RaisesWhenApplied)
    blame(job, "succeeded")
    runs = [execution.run(one, ME) for one in claim(job, other)]
    answer, claimed = machine.exchange(runs, [following.pk], ["tests.adds"], ME)
    assert [run.id for run in answer.done] == [other.pk]
    assert [run.id for run in answer.waiting] == [job.pk]
    assert [one.id for one in claimed] == [following.pk]


@both
def test_jobs_that_are_due_do_not_wait_for_one_whose_filter_raises(settings: LazySettings, kind: type[Filter]) -> None:
    jobs = [adds.schedule(timedelta(seconds=1 + number), number, 0) for number in range(5)]
    use(settings, kind)
    blame(jobs[2], "enqueued")
    due = clock.now() + timedelta(minutes=1)
    moved = machine.move_due(due)
    assert sorted(row.id for row in moved) == [job.pk for job in jobs if job != jobs[2]]
    Culprit.tries = 1
    assert machine.move_due(due) == machine.move_due(due) == []
    assert [row.state for row in machine.move_due(due)] == ["failed"]
    is_failed_by(jobs[2], kind)


def test_the_dispatcher_does_not_spin_for_a_job_whose_filter_raises(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "PAUSES", (30.0,))
    job = adds.schedule(timedelta(milliseconds=1), 1, 2)
    Job.objects.filter(pk=job.pk).update(scheduled_at=clock.now() - timedelta(seconds=1))
    use(settings, RaisesWhenElecting)
    blame(job, "enqueued")
    assert 29 < (dispatcher.dispatch_due() or 0) <= 30
    assert 29 < (dispatcher.dispatch_due() or 0) <= 30
    assert Culprit.tries == 1


@both
def test_what_a_dead_worker_held_goes_back_but_for_one_whose_filter_raises(
    settings: LazySettings, kind: type[Filter]
) -> None:
    jobs = adds.enqueue_many([(number, 0) for number in range(5)])
    claim(*jobs)
    use(settings, kind)
    blame(jobs[2], "enqueued")
    assert len(machine.release(ME, "gone")) == 4
    for _ in range(3):
        machine.release(ME, "gone")
    job = Job.objects.get(pk=jobs[2].pk)
    assert job.state == "failed"


def test_a_claim_goes_on_without_the_job_whose_filter_raises(settings: LazySettings) -> None:
    jobs = adds.enqueue_many([(number, 0) for number in range(5)])
    use(settings, RaisesWhenApplied, Notes)
    blame(jobs[2], "processing")
    assert sorted(job.id for job in claim(*jobs)) == [job.pk for job in jobs if job != jobs[2]]
    Culprit.tries = 1
    for _ in range(3):
        assert claim(jobs[2]) == []
    is_failed_by(jobs[2], RaisesWhenApplied)


def test_a_job_does_not_start_while_a_filter_raises_about_it(settings: LazySettings) -> None:
    job = adds.enqueue(1, 2)
    use(settings, RaisesWhenElecting)
    blame(job, "processing")
    for _ in range(3):
        assert run(job).state in ("scheduled", "enqueued")
        assert (job.failures, job.result) == (0, None)
        Job.objects.filter(pk=job.pk).update(state="enqueued")
    run(job)
    is_failed_by(job, RaisesWhenElecting)


def test_a_built_in_filter_is_told_of_a_failure_that_the_sites_are_not(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "BUILT_IN", [*filters.BUILT_IN, f"{__name__}.Notes"])
    job = adds.schedule(timedelta(seconds=1), 1, 2)
    use(settings, RaisesWhenElecting)
    blame(job, "enqueued")
    for _ in range(4):
        machine.move_due(clock.now() + timedelta(minutes=1))
    assert Job.objects.get(pk=job.pk).state == "failed"
    assert Notes.seen == [("scheduled", "failed")]


class RaisesOurs(Filter):
    def applied(self, changes: Sequence[Change]) -> None:
        raise InvalidJob("unique_key", "is taken")


def test_a_verb_raises_an_error_of_ours_as_it_is(settings: LazySettings) -> None:
    job = adds.enqueue(1, 2)
    use(settings, RaisesOurs)
    with pytest.raises(InvalidJob, match="is taken"):
        job.cancel()


def test_what_a_change_tells_of_the_run(settings: LazySettings) -> None:
    use(settings, SeesFinish)
    run(adds.enqueue(1, 2))
    assert SeesFinish.results == [None, "3"]


class SeesFinish(Filter):
    results: list[str | None] = []

    def applied(self, changes: Sequence[Change]) -> None:
        SeesFinish.results += [change.finish.result if change.finish else None for change in changes]


@both
def test_a_continuation_whose_filter_raises_holds_up_neither_its_parent_nor_its_siblings(
    settings: LazySettings, kind: type[Filter]
) -> None:
    parent = adds.enqueue(1, 2)
    child, sibling = parent.then(adds, 3, 4), parent.then(adds, 5, 6)
    use(settings, kind)
    blame(child, "enqueued")
    assert run(parent).state == "succeeded"
    sibling.refresh_from_db()
    assert sibling.state == "enqueued"
    Culprit.tries = 1
    for _ in range(3):
        assert Job.objects.get(pk=child.pk).state == "awaiting"
        continuations.catch_up()
    is_failed_by(child, kind)
    assert not continuations.catch_up()


@both
def test_what_waits_behind_a_long_job_stays_with_its_worker_while_a_filter_raises(
    settings: LazySettings, kind: type[Filter]
) -> None:
    jobs = adds.enqueue_many([(number, 0) for number in range(3)])
    other = adds.enqueue(0, 0)
    claimed = sorted(claim(*jobs, other))
    client.cancel([other.pk])
    use(settings, kind)
    blame(jobs[1], "enqueued")
    assert [job.id for job in keeper.give_back(claimed, ME, "long")] == [jobs[1].pk]
    Culprit.tries = 1
    assert len(keeper.give_back(claimed[1:2], ME, "long")) == 1
    assert len(keeper.give_back(claimed[1:2], ME, "long")) == 1
    assert keeper.give_back(claimed[1:2], ME, "long") == []
    is_failed_by(jobs[1], kind)
