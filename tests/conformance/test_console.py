"""What jobs say reaches the database once, in order, bounded, and only from the run that is still the job's."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from django_jobs import JobContext, clock, find_jobs, monitoring
from django_jobs.console import Console, outbox, store
from django_jobs.console.record import LINE
from django_jobs.exceptions import InvalidJob
from django_jobs.models import ConsoleLine, Job, Metadata, Progress
from django_jobs.search import quoted, written
from django_jobs.server import cleaner
from django_jobs.states import machine
from tests.app.jobs import succeeds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty_outbox() -> Any:
    yield
    outbox.reset()


@pytest.fixture
def job() -> Job:
    """A job in its first run."""
    made = succeeds.enqueue()
    return claim(made)


def claim(job: Job) -> Job:
    machine.claim([job.pk], ["tests.succeeds"], "w/1")
    return Job.objects.get(pk=job.pk)


def next_run(job: Job) -> Job:
    machine.give_back([(job.pk, job.run)], "w/1", "Put back")
    return claim(job)


def context(job: Job) -> JobContext:
    return JobContext(job.pk, job.job_type, job.queue, job.attempt, job.run, job.worker)


def shown(job: Job, **which: Any) -> list[tuple[int, int, str]]:
    return [(line.run, line.number, line.text) for line in monitoring.console(job.pk, **which)]


def test_lines_are_stored_in_order_with_level_colour_and_time(job: Job) -> None:
    ctx = context(job)
    ctx.log("first")
    ctx.log("second", level="warning", color="green")
    ctx.log(3, "success")
    assert shown(job) == []
    outbox.flush()
    assert shown(job) == [(1, 1, "first"), (1, 2, "second"), (1, 3, "3")]
    lines = monitoring.console(job.pk)
    assert [(line.level, line.color) for line in lines] == [("info", ""), ("warning", "green"), ("success", "")]
    assert all(timedelta(0) <= clock.now() - line.at < timedelta(minutes=1) for line in lines)


def test_a_line_is_written_once_and_nothing_without_a_word(job: Job, django_assert_num_queries: Any) -> None:
    ctx = context(job)
    with django_assert_num_queries(0):
        ctx.console  # noqa: B018
        outbox.flush()
    ctx.log("once")
    outbox.flush()
    with django_assert_num_queries(0):
        outbox.flush()
    assert len(shown(job)) == 1


def test_many_jobs_are_written_by_two_statements() -> None:
    jobs = [claim(succeeds.enqueue()) for _ in range(20)]
    for each in jobs:
        context(each).log("said")
    with CaptureQueriesContext(connection) as queries:
        outbox.flush()
    assert [query["sql"][:6] for query in queries if query["sql"][:5] not in {"BEGIN", "COMMI"}] == ["SELECT", "INSERT"]
    assert ConsoleLine.objects.count() == 20


def test_numbers_go_on_from_run_to_run(job: Job) -> None:
    context(job).log("one")
    outbox.flush()
    second = next_run(job)
    ctx = context(second)
    ctx.log("two")
    outbox.flush()
    ctx.log("three")
    outbox.flush()
    assert shown(job) == [(1, 1, "one"), (2, 2, "two"), (2, 3, "three")]
    assert shown(job, after=1) == [(2, 2, "two"), (2, 3, "three")]
    assert shown(job, run=1) == [(1, 1, "one")]
    assert shown(job, limit=2) == [(1, 1, "one"), (2, 2, "two")]


def test_a_stale_run_is_not_heard(job: Job) -> None:
    stale = context(job)
    fresh = context(next_run(job))
    stale.log("from the past")
    stale.progress_bar("rows", 10).set(5)
    fresh.log("now")
    outbox.flush()
    assert shown(job) == [(2, 1, "now")]
    assert Progress.objects.count() == 0


def test_a_job_that_is_gone_gets_no_rows(job: Job) -> None:
    ctx = context(job)
    Job.objects.all().delete()
    ctx.log("to nobody")
    ctx.metadata["a"] = 1
    outbox.flush()
    assert (ConsoleLine.objects.count(), Metadata.objects.count()) == (0, 0)


def test_what_the_database_did_not_confirm_is_written_again_and_not_twice(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = context(job)
    ctx.log("one")
    ctx.progress_bar("rows", 3).set(2)
    honest = store._write_bars

    def breaks(consoles: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(store, "_write_bars", breaks)
    monkeypatch.setattr(Console, "wrote", lambda self, last: None)
    with pytest.raises(OperationalError):
        outbox.flush()
    monkeypatch.undo()
    assert honest is store._write_bars
    ctx.log("two")
    outbox.flush()
    assert shown(job) == [(1, 1, "one"), (1, 2, "two")]
    assert [str(bar) for bar in monitoring.progress(job.pk)] == ["rows: 2 of 3"]


def test_the_console_keeps_the_newest_lines_and_counts_what_it_leaves_out(job: Job, settings: Any) -> None:
    settings.DJANGO_JOBS = {"CONSOLE_LIMIT": 10}
    ctx = context(job)
    for number in range(25):
        ctx.log(number)
    outbox.flush()
    assert [number for _, number, _ in shown(job)] == list(range(16, 26))
    ctx = context(next_run(job))
    for number in range(3):
        ctx.log(number)
    outbox.flush()
    assert [number for _, number, _ in shown(job)] == list(range(19, 29))


def test_a_flood_is_thinned_to_what_a_reader_could_read(job: Job, settings: Any) -> None:
    settings.DJANGO_JOBS = {"CONSOLE_LIMIT": 100}
    ctx = context(job)
    for number in range(100):
        ctx.log(number)
    outbox.flush()
    for number in range(1000):
        ctx.log(number)
    outbox.flush()
    numbers = [number for _, number, _ in shown(job)]
    assert numbers[-1] == 1100
    assert len(numbers) <= 100
    assert ConsoleLine.objects.filter(number__gt=1000).count() == 50


def test_a_limit_of_zero_keeps_nothing(job: Job, settings: Any, django_assert_num_queries: Any) -> None:
    settings.DJANGO_JOBS = {"CONSOLE_LIMIT": 0}
    context(job).log("nothing")
    with django_assert_num_queries(0):
        outbox.flush()


def test_what_databases_cannot_store_is_replaced_and_what_is_long_is_cut(job: Job) -> None:
    ctx = context(job)
    ctx.log("NUL \x00, half a \ud800 pair, 日本語 🎉")
    ctx.log("x" * (LINE + 1234))
    outbox.flush()
    odd, long = (text for _, _, text in shown(job))
    assert odd == "NUL \ufffd, half a ? pair, 日本語 🎉"
    assert long == "x" * LINE + "… (1,234 characters left out)"


@pytest.mark.parametrize("wrong", [{"level": "loud"}, {"color": "octarine"}, {"level": None}])
def test_a_wrong_level_or_colour_is_refused_by_name(job: Job, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} is .*; give one of"):
        context(job).log("text", **wrong)
    outbox.flush()
    assert shown(job) == []


def test_a_run_has_several_bars_and_each_attempt_its_own(job: Job) -> None:
    ctx = context(job)
    rows = ctx.progress_bar("rows", total=200)
    ctx.progress_bar("files").set(1)
    rows.advance(50)
    outbox.flush()
    rows.advance()
    assert ctx.progress_bar("rows") is rows
    outbox.flush()
    second = context(next_run(job))
    second.progress_bar("rows", total=0)
    outbox.flush()
    bars = [(bar.run, bar.name, bar.value, bar.total, bar.percent) for bar in monitoring.progress(job.pk)]
    assert bars == [(1, "rows", 51, 200, 25.5), (1, "files", 1, None, None), (2, "rows", 0, 0, 100)]


def test_track_counts_what_is_done(job: Job) -> None:
    ctx = context(job)
    taken = []
    for item in ctx.track(["a", "b", "c"], name="letters"):
        if item == "c":
            break
        taken.append(item)
    assert list(ctx.track((n for n in range(4)), name="some", total=8)) == [0, 1, 2, 3]
    list(ctx.track(iter("xy")))
    outbox.flush()
    bars = [(bar.name, bar.value, bar.total) for bar in monitoring.progress(job.pk)]
    assert bars == [("letters", 2, 3), ("some", 4, 8), ("progress", 2, None)]
    assert taken == ["a", "b"]


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "many", None])
def test_a_bar_takes_finite_numbers_only(job: Job, wrong: Any) -> None:
    bar = context(job).progress_bar("rows", 10)
    with pytest.raises(ValueError, match="finite number"):
        bar.set(wrong)
    with pytest.raises(ValueError, match="finite number"):
        bar.advance(wrong)
    assert bar.value == 0


@pytest.mark.parametrize("name", ["", "x" * 101, "a\x00b", None])
def test_a_bar_has_a_name_that_can_be_stored(job: Job, name: Any) -> None:
    with pytest.raises(ValueError, match="^name is"):
        context(job).progress_bar(name)


def test_threads_of_a_job_may_speak_at_once(job: Job) -> None:
    ctx = context(job)

    def speak() -> None:
        for number in range(200):
            ctx.log(number)
            ctx.progress_bar("said").advance()

    threads = [threading.Thread(target=speak) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        outbox.flush()
    for thread in threads:
        thread.join()
    outbox.flush()
    assert [number for _, number, _ in shown(job, limit=5000)] == list(range(1, 801))


def test_metadata_is_kept_from_run_to_run(job: Job) -> None:
    ctx = context(job)
    assert dict(ctx.metadata) == {}
    ctx.metadata["customer"] = "acme"
    ctx.metadata.update(rows=3, odd=["ü", None, {"a": 1.5}])
    outbox.flush()
    second = context(next_run(job))
    assert second.metadata["customer"] == "acme"
    del second.metadata["rows"]
    second.metadata["customer"] = "other"
    outbox.flush()
    assert monitoring.metadata(job.pk) == {"customer": "other", "odd": ["ü", None, {"a": 1.5}]}


def test_a_stale_run_does_not_overwrite_metadata(job: Job) -> None:
    stale, fresh = context(job), context(next_run(job))
    fresh.metadata["who"] = "fresh"
    outbox.flush()
    stale.metadata["who"] = "stale"
    outbox.flush()
    store._become(stale.console, {"who": "stale, after the look at its run"})
    assert monitoring.metadata(job.pk) == {"who": "fresh"}


@pytest.mark.parametrize(
    ("key", "value"), [("", 1), (5, 1), ("k" * 101, 1), ("k", object()), ("k", float("nan")), ("k", "\x00")]
)
def test_metadata_that_cannot_be_stored_is_refused_and_changes_nothing(job: Job, key: Any, value: Any) -> None:
    ctx = context(job)
    ctx.metadata["kept"] = True
    with pytest.raises(InvalidJob, match="metadata"):
        ctx.metadata[key] = value
    with pytest.raises(InvalidJob, match="16,384"):
        ctx.metadata["large"] = "x" * 17_000
    outbox.flush()
    assert monitoring.metadata(job.pk) == {"kept": True}


def test_jobs_are_found_by_metadata(job: Job) -> None:
    other = claim(succeeds.enqueue())
    for each, name, size in ((job, "acme", 5), (other, 'o\'neill "x"', None)):
        ctx = context(each)
        ctx.metadata.update(name=name, size=size, **{"odd key": True})
    outbox.flush()

    def found(key: str, text: str) -> list[int]:
        rows = find_jobs(f"metadata.{quoted(key)}:{written(text)}")
        return list(rows.order_by("pk").values_list("pk", flat=True))

    assert found("name", "acme") == [job.pk]
    assert found("name", 'o\'neill "x"') == [other.pk]
    assert found("size", "5") == [job.pk]
    assert found("size", "null") == [other.pk]
    assert found("odd key", "true") == [job.pk, other.pk]
    assert found("name", "nobody") == found("nothing", "acme") == found("name') OR 1=1 --", "x") == []


def test_the_cleaner_takes_what_a_job_said_along(job: Job) -> None:
    ctx = context(job)
    ctx.log("said")
    ctx.progress_bar("rows").set(1)
    ctx.metadata["a"] = 1
    outbox.flush()
    other = context(claim(succeeds.enqueue()))
    other.log("stays")
    outbox.flush()
    machine.move([job.pk], machine.Target("deleted"), expected={"processing"})
    Job.objects.filter(pk=job.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    cleaner.clean()
    assert not Job.objects.filter(pk=job.pk).exists()
    assert [line.text for line in ConsoleLine.objects.all()] == ["stays"]
    assert (Progress.objects.count(), Metadata.objects.count()) == (0, 0)


def test_console_lines_may_go_before_their_job(job: Job, settings: Any) -> None:
    settings.DJANGO_JOBS = {"RETENTION": {"console": timedelta(hours=1)}}
    ctx = context(job)
    ctx.log("old")
    outbox.flush()
    ConsoleLine.objects.update(at=clock.now() - timedelta(hours=2))
    ctx.log("new")
    outbox.flush()
    assert cleaner.clean() is None
    assert [text for _, _, text in shown(job)] == ["new"]


def test_a_value_that_no_database_takes_is_given_up_and_the_next_is_written(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    ctx = context(job)
    monkeypatch.setattr("django_jobs.console.record.clean_text", lambda text: text)
    ctx.log("half a \ud800 pair")
    outbox.flush()
    monkeypatch.undo()
    ctx.log("after it")
    outbox.flush()
    assert shown(job)[-1][2] == "after it"


def test_a_jobs_own_transaction_does_not_hold_up_the_job(job: Job) -> None:
    """SQLite has one writer: the side thread waits for the job's transaction, not the job for the side thread."""
    ctx = context(job)
    written = threading.Event()

    def write() -> None:
        try:
            while not written.is_set():
                try:
                    outbox.flush()
                    written.set()
                except OperationalError:
                    pass
        finally:
            connection.close()

    with transaction.atomic():
        Job.objects.filter(pk=job.pk).update(tags=["in a transaction"])
        ctx.log("inside")
        side = threading.Thread(target=write)
        side.start()
        for number in range(1000):
            ctx.log(number)
        ctx.progress_bar("rows").set(7)
    assert written.wait(30)
    side.join()
    outbox.flush()
    assert len(shown(job, limit=5000)) == 1001
