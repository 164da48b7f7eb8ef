"""A RabbitMQ of a test's own: another one on this machine is neither needed nor touched."""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from tests import report
from tests.servers import eventually

PATIENCE = 60.0
"""Seconds that Erlang may take to start on a busy machine."""


def program() -> str | None:
    """Debian's script in /usr/sbin would want to be root, or the user rabbitmq; the one behind it does not."""
    found = glob.glob("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return found[0] if found else shutil.which("rabbitmq-server")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class RabbitMQ:
    """A node with its files in a folder, on ports of its own, with an epmd of its own."""

    def __init__(self, folder: Path, executable: str) -> None:
        self.port = free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.executable = executable
        self.folder = folder
        (folder / "plugins").write_text("[].")
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"tests-{os.getpid()}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(
                [self.executable],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            eventually(lambda: self._version() or self._has_ended(), PATIENCE, "RabbitMQ answers")
        except AssertionError as error:
            raise AssertionError(f"{error}; it wrote:\n{self.log}") from None
        assert not self._has_ended(), f"RabbitMQ ended; it wrote:\n{self.log}"
        report.note("rabbitmq", self._version())

    @property
    def log(self) -> str:
        return (self.folder / "out").read_text(errors="replace")[-3000:]

    def _has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _version(self) -> str:
        """What it says when one connects; empty while it does not answer."""
        connection = Connection(self.url, connect_timeout=1)
        try:
            connection.connect()
            told: Any = connection.connection.server_properties
            return str(told["version"])
        except connection.connection_errors:
            return ""
        finally:
            connection.release()

    def kill(self) -> None:
        """End it as a power failure would."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait(10)

    def end(self) -> None:
        self.kill()
        if epmd := shutil.which("epmd"):
            eventually(lambda: self._end_epmd(epmd), 10, "epmd has ended")

    def _end_epmd(self, epmd: str) -> bool:
        """It ends once it has noticed that its node is gone."""
        done = subprocess.run([epmd, "-kill"], env=self.environment, capture_output=True, text=True, check=False)
        return "Killed" in done.stdout or "Cannot connect" in done.stdout + done.stderr


@pytest.fixture(scope="package")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Any:
    executable = program()
    if executable is None:
        pytest.skip("no RabbitMQ on this machine")
    broker = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"), executable)
    try:
        broker.start()
        yield broker
    finally:
        broker.end()
