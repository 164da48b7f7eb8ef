"""The examples as their pages start them: real commands on files of the test's own, spoken to by HTTP alone."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from example_project.demo.ports import answers, any_free
from tests import services
from tests.servers import MARK, ROOT, eventually


class Api:
    """The REST API, asked with a token."""

    def __init__(self, address: str, token: str = "demo") -> None:
        self.address = address
        self._headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
        self._trust = ssl._create_unverified_context()

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON, or text where it is none."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.address + path, data, self._headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=40, context=self._trust) as answer:
                return answer.status, _read(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _read(error.read())

    def get(self, path: str) -> Any:
        code, told = self("GET", f"api/{path}")
        assert code == 200, told
        return told

    def post(self, path: str, body: Any = None) -> Any:
        code, told = self("POST", f"api/{path}", {} if body is None else body)
        assert code < 300, told
        return told

    def enqueue(self, job_type: str, *args: Any, **options: Any) -> int:
        return int(self.post("jobs/", {"job_type": job_type, "args": list(args), **options})["id"])

    def ended(self, job_id: int, seconds: int = 30) -> Any:
        """The job once it has ended."""
        return self.get(f"jobs/{job_id}/?wait={seconds}")

    def console(self, job_id: int) -> list[str]:
        return [line["text"] for line in self.get(f"jobs/{job_id}/console/")["lines"]]

    def servers(self) -> dict[str, Any]:
        """Those that live, by name."""
        return {row["name"]: row for row in self.get("servers/") if row["alive"]}


def _read(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data.decode()


class Site:
    """Processes that share an environment; `end` leaves nothing of them."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._mark = uuid.uuid4().hex
        kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        own = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "REDIS_URL": services.redis_url(), MARK: self._mark}
        self.environment = {**kept, "DJANGO_SETTINGS_MODULE": "example_project.settings", **own, **environment}

    def run(self, *arguments: str, **environment: str) -> str:
        """Run a management command to its end, and return what it wrote."""
        command = [sys.executable, "-m", "django", *arguments]
        every = {**self.environment, **environment}
        done = subprocess.run(
            command, env=every, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a management command that stays."""
        with (self.folder / "site.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "django", *arguments],
                env={**self.environment, **environment},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def serve(self, scheme: str = "http", **environment: str) -> Api:
        """Start the web side on a free port, by the environment, and wait until it answers."""
        port = any_free()
        web = self.start("serve", **{"WEB_PORT": str(port), **environment})
        eventually(lambda: answers("127.0.0.1", port) or web.poll() is not None, 40, "the web server answers")
        assert web.poll() is None, self.log
        return Api(f"{scheme}://127.0.0.1:{port}/")

    @property
    def log(self) -> str:
        return (self.folder / "site.log").read_text(errors="replace")

    def end(self) -> None:
        """Ask its processes to stop, and kill what does not within a while."""
        left = self._living()
        for process in left:
            _tell(process.terminate)
        _, left = psutil.wait_procs(left, timeout=8)
        while left:
            for process in left:
                _tell(process.kill)
            left = self._living()

    def _living(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, OSError):
            return False


def _tell(order: Any) -> None:
    try:
        order()
    except psutil.NoSuchProcess:
        pass
