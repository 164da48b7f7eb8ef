"""What may be said of a recurring job, by code, operators and commands."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import connections, transaction

from django_jobs import clock, job, recurring, schedules
from django_jobs.cron import Cron, CronError
from django_jobs.declared import declarations, mark_orphans, sync, watch_orphans
from django_jobs.exceptions import InvalidJob, UnknownRecurringJob
from django_jobs.models import Job, RecurringJob, Server
from django_jobs.registry import registry
from django_jobs.schedules import BROKEN
from tests.app.jobs import adds, succeeds

pytestmark = pytest.mark.django_db(transaction=True)


def add(**terms: Any) -> RecurringJob:
    return RecurringJob.objects.add_or_update("nightly", "tests.succeeds", **{"cron": "0 2 * * *", **terms})


def fresh(row: RecurringJob) -> RecurringJob:
    return RecurringJob.objects.get(pk=row.pk)


@pytest.fixture(autouse=True)
def own_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declarations, "_known", {})


def test_a_schedule_may_begin_with_the_first_of_all_days() -> None:
    assert len(add(starts_at=datetime(1, 1, 1, tzinfo=UTC)).next_runs(5)) == 5


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("cron", {"cron": "61 * * * *"}),
        ("cron", {"cron": ""}),
        ("cron", {"cron": None}),
        ("time_zone", {"time_zone": "Mars/Olympus"}),
        ("time_zone", {"time_zone": None}),
        ("queue", {"queue": "nowhere"}),
        ("priority", {"priority": 101}),
        ("misfire", {"misfire": "later"}),
        ("overlap", {"overlap": True}),
        ("args", {"args": "text"}),
        ("args[0]", {"args": [object()]}),
        ("kwargs", {"kwargs": [1]}),
        ("args", {"args": [1, 2, 3]}),
        ("starts_at", {"starts_at": datetime(2026, 1, 1)}),
        ("ends_at", {"starts_at": datetime(2026, 2, 1, tzinfo=UTC), "ends_at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("jitter", {"jitter": -1}),
        ("enabled", {"enabled": 1}),
        ("description", {"description": "x" * 501}),
        ("match_both_days", {"match_both_days": "yes"}),
        ("expires", {"expires": "5"}),
        ("misfires", {"misfires": "skip"}),
        ("source", {"source": "magic"}),
    ],
)
def test_what_cannot_be_is_refused_by_name(field: str, terms: dict[str, Any]) -> None:
    with pytest.raises(InvalidJob) as refused:
        add(**terms)
    assert refused.value.field == field
    assert not RecurringJob.objects.exists()


def test_an_expression_is_refused_as_both_kinds_of_error() -> None:
    for kind in (CronError, ValueError):
        with pytest.raises(kind, match="hour"):
            add(cron="0 25 * * *")


@pytest.mark.parametrize("id", ["", " x", "a/b", "x" * 201, "a\nb", 7])
def test_an_id_is_a_short_text(id: Any) -> None:
    with pytest.raises(InvalidJob) as refused:
        RecurringJob.objects.add_or_update(id, succeeds, cron="@daily")
    assert refused.value.field == "id"


def test_an_unknown_type_is_refused_and_a_published_one_is_not(live_server_row: Server) -> None:
    with pytest.raises(InvalidJob) as refused:
        RecurringJob.objects.add_or_update("x", "elsewhere.type", cron="@daily")
    assert refused.value.field == "job_type"
    Server.objects.update(types=["elsewhere.type"])
    row = RecurringJob.objects.add_or_update("x", "elsewhere.type", cron="@daily")
    assert row.trigger().job_type == "elsewhere.type"


def test_the_call_takes_the_defaults_of_its_type() -> None:
    row = RecurringJob.objects.add_or_update("sum", adds, cron="@daily", args=(1, 2))
    assert (row.job_type, row.args, row.queue, row.call) == ("tests.adds", [1, 2], "default", "tests.adds(1, 2)")
    assert add(queue="critical").queue == "critical"


def test_a_cron_brings_its_zone() -> None:
    row = add(cron=Cron.daily(2, time_zone="Asia/Kolkata"))
    assert (row.cron, row.time_zone) == ("0 2 * * *", "Asia/Kolkata")
    assert [f"{at:%H:%M %Z}" for at in row.next_runs(2)] == ["02:00 IST"] * 2


def test_the_same_id_updates_and_an_untouched_one_writes_nothing() -> None:
    first = add()
    again = add()
    assert fresh(first).changed_at == again.changed_at == first.changed_at
    other = add(cron="0 3 * * *", description="At three")
    assert RecurringJob.objects.count() == 1
    assert (other.cron, other.description, other.next_run.hour) == ("0 3 * * *", "At three", 3)


def test_a_new_description_leaves_the_next_run_alone() -> None:
    row = add()
    past = clock.now() - timedelta(minutes=5)
    RecurringJob.objects.update(next_run=past)
    add(description="other")
    assert fresh(row).next_run == past


def test_code_keeps_what_an_operator_changed_and_changes_the_rest() -> None:
    root = get_user_model().objects.create_user("root")
    row = add()
    assert row.disable(by=root)
    assert not row.disable()
    RecurringJob.objects.add_or_update("nightly", succeeds, cron="0 4 * * *", enabled=False, source="admin", by=root)
    row = add(description="new", priority=3)
    assert (row.enabled, row.cron, row.next_run) == (False, "0 4 * * *", None)
    assert (row.description, row.priority) == ("new", 3)
    assert sorted(row.edited()) == ["cron", "enabled"]
    assert row.enable()
    row = add(cron="0 5 * * *", description="new", priority=3)
    assert (row.enabled, row.cron, row.edited()) == (True, "0 4 * * *", ["cron"])


def test_what_an_operator_set_back_follows_the_code_again() -> None:
    add()
    for cron in ("0 4 * * *", "0 2 * * *"):
        RecurringJob.objects.add_or_update("nightly", succeeds, cron=cron, source="admin")
    assert add(cron="0 6 * * *").cron == "0 6 * * *"


def test_an_operators_own_is_not_overwritten_by_a_declaration() -> None:
    made = RecurringJob.objects.add_or_update("nightly", succeeds, cron="0 4 * * *", source="admin")
    assert made.source == "admin"
    row = add()
    assert (row.cron, row.source, row.edited()) == ("0 4 * * *", "code", ["cron"])


def test_triggering_makes_a_job_beside_the_timetable() -> None:
    root = get_user_model().objects.create_user("root")
    row = add(enabled=False)
    made = row.trigger(by=root)
    assert (made.recurring_job_id, made.tick, made.state, made.created_by_name) == ("nightly", None, "enqueued", "root")
    assert fresh(row).last_job_id == made.pk
    assert list(row.jobs.all()) == [made]


def test_jobs_survive_their_schedule() -> None:
    row = add()
    made = row.trigger()
    assert RecurringJob.objects.remove("nightly")
    assert not RecurringJob.objects.remove("nightly")
    assert Job.objects.get().recurring_job_id == "nightly"
    assert made.cancel()
    with pytest.raises(UnknownRecurringJob):
        row.trigger()
    for verb in (row.enable, row.disable):
        with pytest.raises(UnknownRecurringJob):
            verb()


def test_every_verb_has_its_twin() -> None:
    async def everything() -> list[object]:
        row = await RecurringJob.objects.aadd_or_update("nightly", succeeds, cron="@daily")
        made = await row.atrigger()
        told = [await row.adisable(), row.enabled, await row.aenable(), row.enabled]
        return [*told, made.recurring_job_id, await RecurringJob.objects.aremove("nightly")]

    assert async_to_sync(everything)() == [True, False, True, True, "nightly", True]


def declare(*ids: str, **terms: Any) -> None:
    for id in ids:
        recurring(id, **{"cron": "0 2 * * *", **terms})(succeeds)


def test_declarations_are_stored_by_a_sync_and_keep_what_operators_did() -> None:
    declare("a", "b")
    assert not RecurringJob.objects.exists()
    assert sync().stored == ["a", "b"]
    RecurringJob.objects.get(pk="a").disable()
    declare("a", cron="0 3 * * *")
    sync()
    row = RecurringJob.objects.get(pk="a")
    assert (row.cron, row.enabled, row.source, row.application) == ("0 3 * * *", False, "code", "tests")


def given_up(id: str) -> RecurringJob:
    """As the leader leaves one whose timetable is broken."""
    RecurringJob.objects.filter(pk=id).update(enabled=False, next_run=None, failures=BROKEN, error="InvalidCron: no")
    return RecurringJob.objects.get(pk=id)


def test_what_was_switched_off_as_broken_is_tried_again_by_a_sync_unless_an_operator_wants_it_off() -> None:
    ids = ["again", "disabled", "saved"]
    declare(*ids)
    sync()
    rows = [given_up(id) for id in ids]
    assert rows[1].disable()
    assert not rows[1].disable()
    assert (rows[1].status, rows[1].error) == ("broken", "InvalidCron: no")
    schedules.change("saved", description="Later")
    sync()
    assert [fresh(row).enabled for row in rows] == [True, False, False]
    assert rows[1].enable()
    assert fresh(rows[1]).status == "enabled"


def test_a_declaration_that_vanished_stops_and_comes_back() -> None:
    declare("a", "b")
    add()  # made by code, but by no declaration
    sync()
    declarations.remove("b")
    assert sync().orphaned == ["b"]
    row = RecurringJob.objects.get(pk="b")
    assert (row.orphaned, row.enabled, row.next_run) == (True, True, None)
    assert RecurringJob.objects.get(pk="nightly").next_run is not None
    declare("b")
    sync()
    row = RecurringJob.objects.get(pk="b")
    assert not row.orphaned
    assert row.next_run is not None


def test_an_operator_may_take_an_orphan_over() -> None:
    declare("b")
    sync()
    declarations.remove("b")
    sync()
    row = RecurringJob.objects.get(pk="b")
    assert row.enable()
    assert (row.orphaned, row.source) == (False, "admin")
    assert row.next_run is not None
    assert sync().orphaned == []


def server(name: str, application: str, schedules: list[str] | None, age: int = 0) -> None:
    at = clock.now() - timedelta(seconds=age)
    facts = {"kind": "supervisor", "host": "h", "pid": 1, "started_at": at, "heartbeat_at": at}
    Server.objects.create(name=name, application=application, schedules=schedules, **facts)


def test_what_a_living_server_of_the_application_declares_is_no_orphan() -> None:
    declare("a", "plugin")
    sync()
    server("old", "tests", ["a", "plugin"])
    server("new", "tests", ["a"])
    watch_orphans()
    assert not RecurringJob.objects.get(pk="plugin").orphaned
    Server.objects.filter(name="old").delete()
    watch_orphans()
    assert RecurringJob.objects.get(pk="plugin").orphaned
    assert not RecurringJob.objects.get(pk="a").orphaned


def test_another_applications_declarations_are_no_orphans() -> None:
    declare("a", "b")
    sync()
    RecurringJob.objects.filter(pk="b").update(application="elsewhere")
    declarations.remove("b")
    assert sync().orphaned == []
    server("theirs", "elsewhere", ["b"])
    server("not yet upgraded", "tests", None)
    assert mark_orphans({"tests": {"a"}}) == []


def test_what_two_applications_declare_goes_on_when_one_drops_it() -> None:
    declare("shared", "own")
    sync()
    server("theirs", "elsewhere", ["shared"])
    declarations.remove("shared")
    declarations.remove("own")
    assert sync().orphaned == ["own"]
    row = RecurringJob.objects.get(pk="shared")
    assert (row.orphaned, row.application) == (False, "elsewhere")
    assert row.next_run is not None
    Server.objects.filter(name="theirs").update(schedules=[])
    watch_orphans()
    assert RecurringJob.objects.get(pk="shared").orphaned


def test_a_declaration_that_is_refused_stops_no_other(settings: Any) -> None:
    declare("a", queue="critical")
    declare("b")
    settings.RQ_QUEUES = {"default": settings.RQ_QUEUES["default"]}
    outcome = sync()
    assert outcome.stored == ["b"]
    assert "critical" in outcome.refused["a"]


def test_a_declaration_is_checked_where_it_is_written() -> None:
    with pytest.raises(InvalidJob, match="cron"):
        declare("a", cron="nonsense")
    with pytest.raises(InvalidJob, match="above @job"):
        recurring("a", cron="@daily")(print)  # type: ignore[arg-type]
    declare("a")
    with pytest.raises(InvalidJob, match="declared twice"):
        recurring("a", cron="@daily", args=[1, 2])(adds)


def test_a_declaration_takes_the_options_of_its_function() -> None:
    recurring("a", cron="@daily")(succeeds.using(queue="critical", priority=9))
    sync()
    row = RecurringJob.objects.get(pk="a")
    assert (row.queue, row.priority) == ("critical", 9)


def test_the_decorators_stack() -> None:
    declared = recurring("one", cron="@daily")(recurring("two", cron="@hourly")(job("tests.two")(stacked)))
    assert declared() == "ran"
    assert declarations.ids() == ["one", "two"]
    registry.remove("tests.two")
    assert declarations.ids() == []


def stacked() -> str:
    return "ran"


def meanwhile(change: Callable[[], object], other: Callable[[], object]) -> list[BaseException]:
    """Begin the `other` while the change is not committed yet; returns what it raised."""
    raised: list[BaseException] = []

    def late() -> None:
        try:
            other()
        except Exception as error:
            raised.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=late)
    with transaction.atomic():
        change()
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "it waits for the row"
    thread.join(10)
    return raised


def test_two_who_change_different_terms_at_once_both_have_their_way() -> None:
    row = add()
    first, second = {"cron": "0 3 * * *"}, {"description": "Totals"}
    assert meanwhile(lambda: schedules.change("nightly", **first), lambda: schedules.change("nightly", **second)) == []
    assert (fresh(row).cron, fresh(row).description) == ("0 3 * * *", "Totals")


def test_a_change_does_not_bring_back_what_was_removed_meanwhile() -> None:
    add()
    raised = meanwhile(lambda: schedules.remove("nightly"), lambda: schedules.change("nightly", description="Totals"))
    assert [type(error) for error in raised] == [UnknownRecurringJob]
    assert not RecurringJob.objects.exists()
