"""The doors of the client: what is stored, what is refused, and what the verbs move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.test import override_settings

from django_jobs import client, clock
from django_jobs.exceptions import InvalidJob, StillRunning, UnknownJobType, UnknownQueue
from django_jobs.models import Job, Server
from django_jobs.states import machine
from tests.app.jobs import adds, succeeds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> Any:
    return get_user_model().objects.create_user("asha")


def test_a_call_is_stored_with_its_options(user: Any) -> None:
    bound = adds.using(queue="critical", priority=5, created_by=user, tags=["acme", "acme", "eu"])
    job = bound.enqueue(1, y=2)
    job.refresh_from_db()
    assert (job.job_type, job.args, job.kwargs) == ("tests.adds", [1], {"y": 2})
    assert (job.queue, job.priority, job.tags) == ("critical", 5, ["acme", "eu"])
    assert (job.created_by, job.created_by_name) == (user, "asha")
    assert adds.options.queue is None, "using() returns a copy"


def test_tags_of_a_generator_are_kept_for_every_call() -> None:
    bound = adds.using(tags=(tag for tag in ("acme", "eu")))
    assert [bound.enqueue(1, 2).tags for _ in range(2)] == [["acme", "eu"]] * 2


def test_no_time_left_is_no_time_without_end() -> None:
    job = adds.using(expires=timedelta(0)).enqueue(1, 2)
    assert job.start_before == job.created_at


def test_a_creators_name_survives_the_user(user: Any) -> None:
    job = adds.using(created_by=user).enqueue(1, 2)
    user.delete()
    job.refresh_from_db()
    assert (job.created_by, job.created_by_name) == (None, "asha")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"priority": 101}, "priority"),
        ({"priority": "high"}, "priority"),
        ({"priority": True}, "priority"),
        ({"tags": "acme"}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": None}, "tags"),
        ({"tags": 5}, "tags"),
        ({"run_after": datetime(2030, 1, 1)}, "run_after"),
        ({"run_after": "tomorrow"}, "run_after"),
        ({"run_after": timedelta.max}, "run_after"),
        ({"expires": "soon"}, "expires"),
        ({"created_by": "ada"}, "created_by"),
        ({"colour": "red"}, "colour"),
        ({"queue": "defualt"}, "queue"),
    ],
)
def test_a_wrong_option_is_refused_by_name_and_nothing_is_stored(options: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidJob) as refused:
        adds.using(**options).enqueue(1, 2)
    assert refused.value.field == field
    assert not Job.objects.exists()


def test_a_queue_is_named_that_cannot_be_one() -> None:
    with pytest.raises(UnknownQueue, match="no queue is named 5; known: critical"):
        succeeds.using(queue=5).enqueue()


def test_without_queues_the_setting_is_named() -> None:
    with override_settings(RQ_QUEUES={}), pytest.raises(UnknownQueue, match="since the setting RQ_QUEUES is empty"):
        succeeds.enqueue()


def test_an_unknown_queue_comes_with_a_suggestion() -> None:
    with pytest.raises(UnknownQueue, match="did you mean 'default'"):
        adds.using(queue="defualt").enqueue(1, 2)


def test_one_bad_call_among_many_stores_none() -> None:
    with pytest.raises(InvalidJob):
        adds.enqueue_many([(1, 2), (3, object())])
    assert not Job.objects.exists()


@pytest.mark.parametrize("call", ["12", b"12", 1, {"x": 1, "y": 2}])
def test_a_call_that_is_no_tuple_is_refused_among_many(call: object) -> None:
    with pytest.raises(InvalidJob, match="give a tuple") as refused:
        adds.enqueue_many([(1, 2), call])  # type: ignore[list-item]
    assert refused.value.field == "calls"
    assert not Job.objects.exists()


def test_a_type_is_known_by_name_when_registered_or_published() -> None:
    assert client.enqueue("tests.adds", [((1, 2), {})])[0].job_type == "tests.adds"
    with pytest.raises(UnknownJobType, match="did you mean 'tests.adds'"):
        client.enqueue("tests.ads", [((), {})])
    now = clock.now()
    Server.objects.create(
        name="far", kind="supervisor", host="far", pid=1, types=["far.away"], started_at=now, heartbeat_at=now
    )
    assert client.enqueue("far.away", [((1,), {})])[0].job_type == "far.away"


def test_a_delay_schedules_and_the_past_runs_at_once() -> None:
    later = adds.schedule(timedelta(hours=1), 1, 2)
    assert later.state == "scheduled"
    assert abs((later.scheduled_at - clock.now()).total_seconds() - 3600) < 5
    at = datetime(2040, 1, 1, tzinfo=UTC)
    assert adds.schedule(at, 1, 2).scheduled_at == at
    assert adds.schedule(timedelta(seconds=-5), 1, 2).state == "enqueued"


def test_async_twins_do_the_same() -> None:
    async def scenario() -> list[str]:
        one = await adds.aenqueue(1, 2)
        two = await adds.aschedule(timedelta(hours=1), 1, 2)
        many = await adds.aenqueue_many([(1, 2)])
        assert await two.areschedule(timedelta(hours=2))
        assert await two.arequeue()
        assert await one.acancel()
        return [one.job_type, two.job_type, many[0].job_type]

    assert async_to_sync(scenario)() == ["tests.adds"] * 3


def test_cancel_tells_who(user: Any) -> None:
    job = adds.enqueue(1, 2)
    assert job.cancel(by=user)
    assert not job.cancel(by=user)
    job.refresh_from_db()
    assert (job.state, job.state_reason) == ("deleted", "Cancelled by asha")
    assert job.history()[-1].data == {"by": "asha"}
    assert job.expires_at is not None


def test_a_cancelled_run_cannot_write_its_result() -> None:
    job = adds.enqueue(1, 2)
    (claimed,) = machine.claim([job.pk], ["tests.adds"], "w")
    assert job.cancel()
    from django_jobs import execution

    assert machine.acknowledge([execution.run(claimed, "w")], "w").stale
    job.refresh_from_db()
    assert (job.state, job.result) == ("deleted", None)


def test_a_deleted_job_keeps_the_time_at_which_it_had_ended() -> None:
    job = adds.enqueue(1, 2)
    (claimed,) = machine.claim([job.pk], ["tests.adds"], "w")
    from django_jobs import execution

    machine.acknowledge([execution.run(claimed, "w")], "w")
    job.refresh_from_db()
    ended = job.finished_at
    assert client.delete([job.pk]) == [job.pk]
    job.refresh_from_db()
    assert (job.state, job.finished_at) == ("deleted", ended)
    assert job.result == 3


@pytest.mark.parametrize(
    ("verb", "given"), [("cancel", ()), ("delete", ()), ("pause", ()), ("reschedule", (timedelta(hours=1),))]
)
def test_a_verb_takes_jobs_from_the_expected_states_alone(verb: str, given: tuple[Any, ...]) -> None:
    job, later = adds.enqueue(1, 1), adds.schedule(timedelta(hours=2), 1, 1)
    does = client.verb(verb)
    assert does([job.pk, later.pk], *given, expected=["scheduled", "succeeded"]) == [later.pk]
    assert does([job.pk], *given, expected=[]) == []
    assert Job.objects.get(pk=job.pk).state == "enqueued"
    assert client.resume([later.pk], expected=["processing"]) == []


def test_reschedule_moves_waiting_jobs_only() -> None:
    job = adds.enqueue(1, 2)
    assert job.reschedule(timedelta(hours=1))
    job.refresh_from_db()
    assert job.state == "scheduled"
    assert job.reschedule(datetime(2040, 1, 1, tzinfo=UTC))
    assert job.requeue()
    machine.claim([job.pk], ["tests.adds"], "w")
    assert not job.reschedule(timedelta(hours=1))
    with pytest.raises(InvalidJob, match="when"):
        job.reschedule("tomorrow")  # type: ignore[arg-type]


def test_wait_gives_up_with_the_state() -> None:
    job = succeeds.enqueue()
    with pytest.raises(StillRunning, match="still enqueued"):
        job.wait(timeout=0.1)
    with pytest.raises(TimeoutError):
        job.wait(timeout=0)
    job.cancel()
    assert job.wait(timeout=1).state == "deleted"


@pytest.mark.parametrize("verb", ["cancel", "pause", "resume", "requeue"])
def test_whoever_asks_is_a_user(verb: str) -> None:
    job = adds.schedule(timedelta(hours=1), 1, 2)
    with pytest.raises(InvalidJob, match="^by: is 'bob'; give a user"):
        getattr(job, verb)(by="bob")
    job.refresh_from_db()
    assert job.state == "scheduled"
