"""Python's logging and print in the console: of the job that made them, and without a change for other handlers."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextvars import copy_context

import pytest

from django_jobs import capture, execution
from django_jobs.console import outbox
from django_jobs.console.record import Console
from django_jobs.context import JobContext, _current
from django_jobs.states.statements import Claimed
from tests.app.jobs import speaks_python


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, str, str]]]:
    """Job, level and text of each line said."""
    lines: list[tuple[int, str, str]] = []
    honest = Console.log

    def hear(self: Console, text: object, level: str = "info", color: str | None = None) -> None:
        lines.append((self.job_id, level, str(text)))
        honest(self, text, level, color)

    monkeypatch.setattr(Console, "log", hear)
    yield lines
    outbox.reset()


@pytest.fixture
def loggers() -> Iterator[logging.Logger]:
    """The root logger at WARNING; everything is as before afterwards."""
    root = logging.getLogger()
    everyone = [root, *(entry for entry in root.manager.loggerDict.values() if isinstance(entry, logging.Logger))]
    before = [(logger, logger.level, list(logger.handlers), logger.propagate) for logger in everyone]
    filters = [(handler, list(handler.filters)) for logger in everyone for handler in logger.handlers]
    root.setLevel(logging.WARNING)
    yield root
    for logger, level, handlers, propagate in before:
        logger.setLevel(level)
        logger.handlers[:], logger.propagate = handlers, propagate
    for handler, kept in filters:
        handler.filters[:] = kept


class Hears(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


def inside(job_id: int, work: object) -> None:
    """Do it as the job of that id."""

    def run() -> None:
        _current.set(JobContext(job_id, "t", "default", 1, 1, "w/1"))
        work()  # type: ignore[operator]

    copy_context().run(run)


def test_records_belong_to_the_job_in_whose_context_they_are_made(
    loggers: logging.Logger, said: list[tuple[int, str, str]]
) -> None:
    capture.attach("INFO")
    shop = logging.getLogger("shop.mail")
    ready = threading.Barrier(2)

    def speaks(name: str) -> None:
        ready.wait()
        shop.info("hello from %s", name)

    threads = [threading.Thread(target=inside, args=(n, lambda n=n: speaks(f"job {n}"))) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shop.error("of no job")
    assert sorted(said) == [(1, "info", "hello from job 1"), (2, "info", "hello from job 2")]


def test_levels_are_ours_and_quieter_records_stay_out(
    loggers: logging.Logger, said: list[tuple[int, str, str]]
) -> None:
    capture.attach("WARNING")
    log = logging.getLogger("shop").log
    inside(1, lambda: [log(level, level) for level in (10, 20, 30, 35, 40, 50)])
    assert [(level, text) for _, level, text in said] == [
        ("warning", "30"),
        ("warning", "35"),
        ("error", "40"),
        ("critical", "50"),
    ]


def test_other_handlers_hear_what_they_heard_before(loggers: logging.Logger, said: list[tuple[int, str, str]]) -> None:
    hears = Hears()
    loggers.addHandler(hears)
    logging.getLogger("chatty").setLevel(logging.DEBUG)
    capture.attach("INFO")
    inside(1, lambda: logging.getLogger("shop").info("for the console alone"))
    inside(1, lambda: logging.getLogger("chatty.part").debug("as it was asked for"))
    inside(1, lambda: logging.getLogger("shop").warning("for both"))
    assert hears.heard == ["as it was asked for", "for both"]
    assert [text for _, _, text in said] == ["for the console alone", "for both"]


def test_loggers_that_do_not_propagate_are_heard_and_our_own_are_not(
    loggers: logging.Logger, said: list[tuple[int, str, str]]
) -> None:
    proud = logging.getLogger("proud")
    proud.propagate = False
    capture.attach("INFO")
    inside(1, lambda: [proud.warning("once"), logging.getLogger("django_jobs.jobs").error("the job failed")])
    assert [text for _, _, text in said] == ["once"]


def test_nothing_is_captured_where_the_setting_is_none(loggers: logging.Logger, said: list[object]) -> None:
    capture.attach(None)
    inside(1, lambda: logging.getLogger("shop").error("unheard"))
    assert (said, loggers.level) == ([], logging.WARNING)


def test_a_record_that_cannot_be_formatted_fails_no_job(
    loggers: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    capture.attach("INFO")
    inside(1, lambda: logging.getLogger("shop").error("%d", "no number"))


def test_print_goes_to_the_console_and_to_standard_output(
    said: list[tuple[int, str, str]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    ended = execution.run(Claimed(7, speaks_python.name, json.dumps([]), "{}", 1, "default", 0, 0), "w/1")
    print("of no job")
    assert ended.state == "succeeded"
    assert [text for _, _, text in said] == ["printed", "no newline"]
    assert capsys.readouterr().out.endswith("no newlineof no job\n")


def test_a_line_without_an_end_does_not_grow_for_ever(said: list[tuple[int, str, str]]) -> None:
    lines = capture.Lines(Console(1, 1, outbox.stir))
    for _ in range(5):
        lines.write("x" * 1000)
    lines.write("y\nz")
    lines.end()
    assert [(len(text), text[-1]) for _, _, text in said] == [(5000, "x"), (1, "y"), (1, "z")]
