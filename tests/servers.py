"""Real `runjobs` processes for tests, each with its log, and the certainty that nothing of them outlives the test."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import psutil
from django.db import connections

from django_jobs.models import Server

ROOT = Path(__file__).resolve().parent.parent
MARK = "DJANGO_JOBS_TEST_TREE"
_numbers = itertools.count(1)

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout: float = 45.0, what: str = "") -> T:
    """The first truthy answer of `condition`, asked again and again; AssertionError after `timeout` seconds.

    As long as nothing else is asked for, a sweep or two fit in: they mend what a machine that stood still broke.
    """
    end = time.monotonic() + timeout
    while not (answer := condition()):
        assert time.monotonic() < end, f"not within {timeout:g} s: {what or condition}"
        time.sleep(0.02)
    return answer


class RunJobs:
    """One `manage.py runjobs` in a session of its own. `row` is its Server row, once it is there."""

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> None:
        number = next(_numbers)
        self.name = f"test-{os.getpid()}-{number}"
        if "--name" in arguments:
            self.name = arguments[arguments.index("--name") + 1]
        else:
            arguments = (*arguments, "--name", self.name)
        self._mark = uuid.uuid4().hex
        self._log = folder / f"runjobs-{number}.log"
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "django", "runjobs", *arguments],
                cwd=ROOT,
                env={**environment, MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def row(self) -> Server | None:
        return Server.objects.filter(name=self.name).first()

    def workers(self) -> list[Server]:
        """Its worker processes that are registered now."""
        return list(Server.objects.filter(parent__name=self.name, kind=Server.Kind.WORKER))

    def wait_until_ready(self, timeout: float = 30.0) -> None:
        """Its row and that of a child are there; or it has ended well."""
        try:
            eventually(lambda: self._is_ready() or self.process.poll() is not None, timeout, "runjobs is ready")
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{self.log}") from None
        assert self.process.returncode in (None, 0), f"runjobs ended: {self.process.returncode}; its log:\n{self.log}"

    def _is_ready(self) -> bool:
        row = self.row
        return row is not None and Server.objects.filter(parent=row).exists()

    def ask_to_stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the supervisor and everything it started."""
        for process in self.living():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        self.process.wait(10)

    def wait(self, timeout: float = 20.0) -> int:
        """Its exit status."""
        return self.process.wait(timeout)

    def end(self, grace: float = 5.0) -> None:
        """Nothing of it lives afterwards, and its rows are gone from the connections of this process."""
        self.ask_to_stop()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        eventually(lambda: not self.living(), 10, "every process of runjobs has ended")
        connections.close_all()

    def living(self) -> list[psutil.Process]:
        """All its processes, also those that made a session of their own: they inherit the mark."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            return False
