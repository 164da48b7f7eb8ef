"""A demo that runs for a test, and the certainty that nothing of it outlives the test."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.servers import ROOT, eventually

DEMO = [sys.executable, str(ROOT / "manage.py"), "demo"]
SERVICES = {"DATABASE_URL", "REDIS_URL"}


def family(folder: Path) -> list[str]:
    """Every process that lives and was started for the demo of that folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("TMPDIR") == str(folder / "tmp"):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            pass
    return found


def assert_nothing_is_left(folder: Path) -> None:
    eventually(lambda: not family(folder), 15, "every process of the demo has ended")
    assert list((folder / "tmp").iterdir()) == []


class Demo:
    """A demo that runs, with its banner shown. Its wanted port is taken by somebody else."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with socket.create_server(("127.0.0.1", 0)) as taken, log.open("wb") as out:
            port = str(taken.getsockname()[1])
            self.process = subprocess.Popen(
                [*DEMO, "--port", port, "--every", "0.2"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            eventually(lambda: "Ctrl-C stops" in self.text or self.process.poll() is not None, 60, "the banner")
        assert self.process.poll() is None, self.text

    @property
    def text(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def address(self) -> str:
        found = re.search(r"http://127\.0\.0\.1:\d+/", self.text)
        assert found
        return found[0]

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return str(answer.read().decode())

    def child(self, words: str) -> psutil.Process:
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if words in " ".join(child.cmdline()))
