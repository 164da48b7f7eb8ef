"""Checkpoints and iterations: where a run stopped, the next one goes on. On every database."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import OperationalError, transaction
from django.db.transaction import TransactionManagementError

from django_jobs import Filter, JobCancelled, Retry, checkpoints, client, clock, execution, states
from django_jobs.context import JobContext
from django_jobs.control import runs
from django_jobs.exceptions import CheckpointTooLarge, InvalidArgument, InvalidJob, JobInterrupted
from django_jobs.iteration import Iteration
from django_jobs.models import Checkpoint, Job, JobState, Server
from django_jobs.registry import JobType, registry
from django_jobs.server.cleaner import clean_everything
from django_jobs.sources import source_of
from django_jobs.states import filters, machine
from django_jobs.states.filters import Change
from django_jobs.states.statements import Finish

pytestmark = pytest.mark.django_db(transaction=True)

ME = "server/1"
Body = Callable[[JobContext], Any]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Any:
    """No type and no request to stop outlives a test."""
    monkeypatch.setattr(runs, "stop", False)
    known = set(registry.names())
    yield
    for name in set(registry.names()) - known:
        registry.remove(name)


def enqueued(body: Body, **options: Any) -> Job:
    registry.remove("checked")
    registry.add(JobType("checked", body, takes_context=True, **options))
    return client.enqueue("checked", [((), {})])[0]


def attempt(row: Job) -> Finish:
    """One run of the job, from the claim to the acknowledgement."""
    (claimed,) = machine.claim([row.pk], ["checked"], ME)
    run = execution.run(claimed, ME)
    machine.acknowledge([run], ME)
    row.refresh_from_db()
    return run


def fresh(row: Job) -> Job:
    row.refresh_from_db()
    return row


def stored(row: Job) -> Any:
    return json.loads(Checkpoint.objects.get(job_id=row.pk).data)


def test_a_run_goes_on_where_the_last_one_stopped() -> None:
    seen: list[Any] = []

    def body(ctx: JobContext) -> str:
        seen.append(ctx.state)
        if ctx.run == 1:
            ctx.checkpoint({"page": 7, "who": uuid.UUID(int=5)})
            runs.stop = True
            ctx.checkpoint({"page": 8})
            raise AssertionError("it stops there")
        return "done"

    row = enqueued(body)
    attempt(row)
    assert (row.state, row.failures, row.state_reason) == ("enqueued", 0, "Put back at its checkpoint")
    runs.stop = False
    attempt(row)
    assert (row.state, row.result) == ("succeeded", "done")
    assert seen == [None, {"page": 8}]


def test_a_pause_is_answered_at_the_next_checkpoint() -> None:
    def body(ctx: JobContext) -> int:
        ctx.checkpoint(1)
        runs.tell("pause", (ctx.id, ctx.run))
        Job.objects.filter(pk=ctx.id).update(asked="pause", state_reason="Pausing by ada")
        ctx.checkpoint(2)
        raise AssertionError("it stops there")

    row = enqueued(body)
    attempt(row)
    assert (row.state, row.state_reason, stored(row)["state"]) == ("paused", "Paused by ada", 2)


def test_checkpoints_are_stored_at_most_once_a_second_and_after_a_failure() -> None:
    def body(ctx: JobContext) -> None:
        ctx.checkpoint(1)
        first = stored(row)
        for number in range(2, 50):
            ctx.checkpoint(number)
        assert stored(row) == first
        raise ConnectionError

    row = enqueued(body, retry=Retry(attempts=1, delays=[0]))
    attempt(row)
    assert (row.failures, stored(row)["state"]) == (1, 49)


def test_a_checkpoint_after_its_second_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "INTERVAL", 0.0)

    def body(ctx: JobContext) -> None:
        for number in range(3):
            ctx.checkpoint(number)
            assert stored(row)["state"] == number

    row = enqueued(body)
    assert attempt(row).state == states.SUCCEEDED


def test_a_checkpoint_in_a_transaction_is_part_of_it() -> None:
    def body(ctx: JobContext) -> None:
        ctx.checkpoint(0)
        for number in range(1, 4):
            with transaction.atomic():
                ctx.checkpoint(number)
                assert stored(row)["state"] == number, "no rate limit"
                if number == 3:
                    raise ConnectionError

    row = enqueued(body, retry=Retry(attempts=1, delays=[0]))
    attempt(row)
    assert (fresh(row).failures, stored(row)["state"]) == (1, 2)


def test_a_stop_waits_for_the_end_of_the_jobs_transaction() -> None:
    def body(ctx: JobContext) -> None:
        with transaction.atomic():
            runs.stop = True
            ctx.checkpoint(1)
            reached.append("end of the transaction")
        ctx.checkpoint(2)
        reached.append("too far")

    reached: list[str] = []
    row = enqueued(body)
    attempt(row)
    assert (row.state, reached, stored(row)["state"]) == ("enqueued", ["end of the transaction"], 2)


def test_a_run_that_is_no_longer_the_jobs_cannot_store(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(ctx: JobContext) -> None:
        ctx.checkpoint("mine")
        machine.release(ME, "declared dead")
        with pytest.raises(JobCancelled), transaction.atomic():
            ctx.checkpoint("late")
        assert ctx.cancelled
        raise JobCancelled

    row = enqueued(body)
    attempt(row)
    assert (row.state, stored(row)["state"]) == ("enqueued", "mine")


def test_an_older_run_cannot_overwrite_a_newer_ones_checkpoint() -> None:
    row = enqueued(lambda ctx: None)
    machine.claim([row.pk], ["checked"], ME)
    Checkpoint.objects.create(job_id=row.pk, run=2, data='{"state": "newer"}', made_at=row.created_at)
    checkpoints.SQLStore(row.pk, 1, ME).save('{"state": "older"}')
    assert stored(row) == {"state": "newer"}
    assert Checkpoint.objects.get(job_id=row.pk).run == 2


def test_a_requeue_starts_from_the_beginning_or_from_the_checkpoint() -> None:
    seen: list[Any] = []

    def body(ctx: JobContext) -> None:
        seen.append(ctx.state)
        ctx.checkpoint(len(seen))
        raise ConnectionError

    row = enqueued(body, retry=Retry(attempts=0))
    attempt(row)
    assert row.requeue(from_checkpoint=True)
    attempt(row)
    assert row.requeue()
    attempt(row)
    assert seen == [None, 1, None]


@pytest.mark.parametrize("state", [object(), {1: 2}, float("nan"), "\x00"])
def test_what_json_cannot_hold_is_refused(state: Any) -> None:
    def body(ctx: JobContext) -> None:
        ctx.checkpoint("good")
        with pytest.raises(InvalidArgument, match=r"^state"):
            ctx.checkpoint(state)
        assert ctx.state == "good"

    assert attempt(enqueued(body)).state == states.SUCCEEDED


def test_a_checkpoint_that_is_too_large_is_refused() -> None:
    def body(ctx: JobContext) -> None:
        with pytest.raises(CheckpointTooLarge, match="MAX_PAYLOAD"):
            ctx.checkpoint("x" * 300_000)

    assert attempt(enqueued(body)).state == states.SUCCEEDED


def test_a_job_goes_on_while_the_database_takes_no_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(ctx: JobContext) -> str:
        runs.stop = True
        ctx.checkpoint(1)
        return "went on"

    def refuse(self: Any, data: str) -> bool:
        raise OperationalError("away")

    monkeypatch.setattr(checkpoints.SQLStore, "save", refuse)
    run = attempt(enqueued(body))
    assert (run.state, run.result) == (states.SUCCEEDED, '"went on"')


def test_a_deleted_job_takes_its_checkpoint_along() -> None:
    row = enqueued(lambda ctx: ctx.checkpoint(1))
    attempt(row)
    Job.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    clean_everything()
    assert not Checkpoint.objects.exists()


# Iterations


def walk(make: Callable[[], Any], stops: int = 3, every: int = 2, **options: Any) -> tuple[Job, list[Any]]:
    """Iterate, and stop after every second item of the first runs."""
    seen: list[Any] = []

    def body(ctx: JobContext) -> int:
        runs.stop = False
        items = ctx.iterate(make(), **options)
        for item in items:
            seen.append(item)
            if ctx.run <= stops and len(seen) % every == 0:
                runs.stop = True
        return items.done

    row = enqueued(body)
    while attempt(row).state == states.ENQUEUED:
        pass
    assert row.run > 1
    runs.stop = False
    return row, seen


def test_rows_are_walked_by_primary_key_in_chunks() -> None:
    now = fresh(enqueued(lambda ctx: None)).created_at
    facts = {"kind": "worker", "host": "h", "pid": 1, "started_at": now, "heartbeat_at": now}
    made = [Server.objects.create(name=f"s{n}", **facts) for n in range(9)]
    row, seen = walk(lambda: Server.objects.order_by("-name").exclude(name="s4"), chunk=2)
    assert seen == [server for server in made if server.name != "s4"]
    assert row.result == 8


def test_a_queryset_is_read_in_chunks(django_assert_num_queries: Any) -> None:
    now = fresh(enqueued(lambda ctx: None)).created_at
    facts = {"kind": "worker", "host": "h", "pid": 1, "started_at": now, "heartbeat_at": now}
    Server.objects.bulk_create(Server(name=f"s{n}", **facts) for n in range(10))
    source = execution_source(Server.objects.all(), chunk=4)
    source.begin(None)
    with django_assert_num_queries(1):
        for _ in range(4):
            source.fetch()
    with django_assert_num_queries(1):
        source.fetch()


def execution_source(given: Any, **options: Any) -> Any:
    return source_of(given, **{"chunk": 500, "csv": False, "encoding": "utf-8", **options})


def test_sequences_are_walked_by_index() -> None:
    row, seen = walk(lambda: range(100, 107))
    assert seen == list(range(100, 107))
    assert row.result == 7


def test_lines_of_a_file_are_walked_by_offset(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes("\ufeffeins\r\nzwölf\n\n漢字\nlast".encode())
    assert walk(lambda: path)[1] == ["eins", "zwölf", "", "漢字", "last"]
    assert walk(lambda: str(path))[1] == ["eins", "zwölf", "", "漢字", "last"]
    assert walk(lambda: path.open("rb"))[1] == ["eins", "zwölf", "", "漢字", "last"]
    assert walk(lambda: path.open())[1] == ["eins", "zwölf", "", "漢字", "last"]
    assert walk(lambda: ContentFile(b"a\nb\nc\n"))[1] == ["a", "b", "c"]


def test_records_of_a_csv_file_are_dictionaries(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_bytes('\ufeffname;note\r\nAda;"two\r\nlines; quoted ""so"""\r\nGrace;\r\n\r\nŌtani;x\r\n'.encode())
    expected = [
        {"name": "Ada", "note": 'two\r\nlines; quoted "so"'},
        {"name": "Grace", "note": ""},
        {"name": "Ōtani", "note": "x"},
    ]
    row, seen = walk(lambda: path, every=1, csv={"delimiter": ";"})
    assert (seen, row.result) == (expected, 3)
    latin = tmp_path / "latin.csv"
    latin.write_bytes("name,note\nJosé,1\nNuñez,2\n".encode("latin-1"))
    assert walk(lambda: latin, every=1, csv=True, encoding="latin-1")[1] == [
        {"name": "José", "note": "1"},
        {"name": "Nuñez", "note": "2"},
    ]


def test_an_empty_source_has_no_items(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")

    def body(ctx: JobContext) -> list[Any]:
        empty = [[], Server.objects.none(), Server.objects.filter(name="x"), tmp_path / "empty"]
        found = [list(ctx.iterate(source, name=f"i{n}")) for n, source in enumerate(empty)]
        return [*found, list(ctx.iterate(tmp_path / "empty", name="csv", csv=True))]

    assert attempt(enqueued(body)).result == "[[], [], [], [], []]"


def test_a_file_that_became_shorter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("one\ntwo\nthree\n")

    def body(ctx: JobContext) -> None:
        for line in ctx.iterate(path):
            if line == "two":
                raise ConnectionError

    row = enqueued(body, retry=Retry(attempts=1, delays=[0]))
    attempt(row)
    path.write_text("o\n")
    assert "shorter" in attempt(row).reason


def test_several_iterations_have_names_of_their_own() -> None:
    seen: list[Any] = []

    def body(ctx: JobContext) -> None:
        for item in ctx.iterate(["a", "b"], name="letters"):
            seen.append(item)
        for item in ctx.iterate([1, 2, 3], name="numbers"):
            seen.append(item)
            if ctx.run == 1 and item == 2:
                raise ConnectionError

    row = enqueued(body, retry=Retry(attempts=1, delays=[0]))
    attempt(row)
    assert attempt(row).state == states.SUCCEEDED
    assert seen == ["a", "b", 1, 2, 2, 3], "the item that failed comes again"


def test_a_name_cannot_be_used_twice() -> None:
    def body(ctx: JobContext) -> None:
        list(ctx.iterate([1]))
        with pytest.raises(InvalidJob, match=r"^name: .*name of its own"):
            ctx.iterate([2])

    assert attempt(enqueued(body)).state == states.SUCCEEDED


def test_position_and_work_commit_together() -> None:
    seen: list[int] = []

    def body(ctx: JobContext) -> None:
        numbers = ctx.iterate(range(5))
        for number in numbers:
            with transaction.atomic():
                seen.append(number)
                numbers.save()
                if ctx.run == 1 and number == 2:
                    raise ConnectionError

    row = enqueued(body, retry=Retry(attempts=1, delays=[0]))
    attempt(row)
    assert stored(row)["iterations"]["progress"]["done"] == 2
    attempt(row)
    assert seen == [0, 1, 2, 2, 3, 4]


def test_position_and_work_commit_together_when_the_transaction_is_tried_again() -> None:
    seen: list[tuple[int, str]] = []

    def work(numbers: Iteration[int], number: int, breaks: bool) -> None:
        with transaction.atomic():
            seen.append((number, "rolled back" if breaks else "done"))
            numbers.save()
            if breaks:
                raise OperationalError("deadlock detected")

    def body(ctx: JobContext) -> None:
        numbers = ctx.iterate(range(3))
        for number in numbers:
            if ctx.run == 1 and number == 1:
                with pytest.raises(OperationalError):
                    work(numbers, number, breaks=True)
            if ctx.run == 1 and number == 2:
                raise ConnectionError
            work(numbers, number, breaks=False)

    row = enqueued(body, retry=Retry(attempts=1, delays=[0]))
    attempt(row)
    assert stored(row)["iterations"]["progress"]["done"] == 2
    attempt(row)
    assert seen == [(0, "done"), (1, "rolled back"), (1, "done"), (2, "done")]


def test_work_that_was_rolled_back_for_good_is_done_by_the_next_attempt() -> None:
    seen: list[int] = []

    def body(ctx: JobContext) -> None:
        numbers = ctx.iterate(range(3))
        for number in numbers:
            with transaction.atomic():
                seen.append(number)
                for _ in range(2):
                    numbers.save()
                if ctx.run == 1 and number == 1:
                    raise ConnectionError

    row = enqueued(body, retry=Retry(attempts=1, delays=[0]))
    attempt(row)
    attempt(row)
    assert seen == [0, 1, 1, 2]


def test_an_iteration_feeds_a_progress_bar(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text("12345\n" * 10)

    def body(ctx: JobContext) -> list[Any]:
        list(ctx.iterate(range(4), name="numbers"))
        list(ctx.iterate(path, name="bytes"))
        list(ctx.iterate(path, name="lines", total=10))
        for _ in ctx.iterate(range(4), name="half"):
            break
        bars = ctx.console.bars
        return [[bars[name].value, bars[name].total] for name in ("numbers", "bytes", "lines", "half")]

    assert attempt(enqueued(body)).result == "[[4.0, 4.0], [60.0, 60.0], [10.0, 10.0], [0.0, 4.0]]"


@pytest.mark.parametrize(
    ("source", "options", "field"),
    [
        (lambda: Server.objects.all()[:5], {}, "source"),
        (lambda: Server.objects.values("name"), {}, "source"),
        (lambda: {1, 2}, {}, "source"),
        (lambda: (n for n in range(3)), {}, "source"),
        (lambda: b"bytes", {}, "source"),
        (lambda: io.StringIO("text"), {}, "source"),
        (lambda: [1], {"csv": True}, "csv"),
        (lambda: [1], {"chunk": 0}, "chunk"),
        (lambda: [1], {"name": ""}, "name"),
    ],
)
def test_what_cannot_be_resumed_is_refused(source: Callable[[], Any], options: dict[str, Any], field: str) -> None:
    def body(ctx: JobContext) -> None:
        with pytest.raises(InvalidJob) as refused:
            ctx.iterate(source(), **options)
        assert refused.value.field == field

    assert attempt(enqueued(body)).state == states.SUCCEEDED


def test_a_compressed_file_can_be_walked(tmp_path: Path) -> None:
    path = tmp_path / "lines.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"a\nb\nc\n")
    assert walk(lambda: gzip.GzipFile(path), every=1)[1] == ["a", "b", "c"]


# Completion inside the job's transaction


def test_a_job_ends_inside_its_own_transaction() -> None:
    def body(ctx: JobContext) -> str:
        with transaction.atomic():
            Server.objects.filter(name="nobody").delete()
            ctx.complete({"rows": 3})
        assert fresh(row).state == "succeeded"
        ctx.checkpoint("after the end")
        return "ignored"

    row = enqueued(body)
    run = attempt(row)
    assert (row.state, row.result) == ("succeeded", {"rows": 3})
    assert JobState.objects.filter(job=row, name="succeeded").count() == 1
    assert machine.acknowledge([run], ME).done, "the acknowledgement recognises it"


def test_a_completion_that_is_rolled_back_is_none() -> None:
    def body(ctx: JobContext) -> None:
        with transaction.atomic():
            ctx.complete("never")
            raise ConnectionError

    row = enqueued(body, retry=Retry(attempts=0))
    attempt(row)
    assert (row.state, row.result) == ("failed", None)


def test_a_cancelled_job_cannot_complete() -> None:
    def body(ctx: JobContext) -> None:
        Job.objects.get(pk=ctx.id).cancel()
        with transaction.atomic():
            Server.objects.filter(name="nobody").delete()
            ctx.complete("never")

    row = enqueued(body)
    attempt(row)
    assert (row.state, row.result) == ("deleted", None)


def test_completion_outside_a_transaction_is_refused() -> None:
    def body(ctx: JobContext) -> None:
        with pytest.raises(TransactionManagementError, match="atomic"):
            ctx.complete()

    assert attempt(enqueued(body)).state == states.SUCCEEDED


def test_an_interruption_is_no_exception_that_a_job_would_catch() -> None:
    def body(ctx: JobContext) -> None:
        runs.stop = True
        try:
            ctx.checkpoint(1)
        except Exception:
            raise AssertionError("swallowed") from None

    assert not issubclass(JobInterrupted, Exception)
    assert attempt(enqueued(body)).state == states.ENQUEUED


def test_a_completion_that_a_filter_refuses_is_a_failure_of_the_run() -> None:
    def body(ctx: JobContext) -> None:
        with transaction.atomic():
            Server.objects.create(name="its effect", pid=1, started_at=clock.now(), heartbeat_at=clock.now())
            ctx.complete()

    row = enqueued(body, retry=Retry(attempts=0), filters=(RefusesSuccess,))
    filters.forget()
    attempt(row)
    assert (row.state, row.state_reason.partition(":")[0]) == ("failed", "django_jobs.exceptions.FilterFailed")
    assert not Server.objects.filter(name="its effect").exists()


class RefusesSuccess(Filter):
    states = frozenset({"succeeded"})

    def applied(self, changes: Sequence[Change]) -> None:
        raise LookupError
