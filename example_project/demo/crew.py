"""The demo's child processes: started, heard, watched and stopped together, so that none is left behind."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO

import psutil

Sink = Callable[[str], None]

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
PR_SET_PDEATHSIG = 1

APART = 1.2
"""Seconds between two signals to stop: `runjobs` takes those that come within a second for the same one."""


class StopAsked(Exception):
    """Ctrl-C, or a signal that asks the demo to end."""


class TooLong(Exception):
    """What was waited for did not happen in time."""


class ChildEnded(Exception):
    """A child ended that was to stay."""

    def __init__(self, child: Child) -> None:
        super().__init__(f"{child.name} {child.ending}")
        self.child = child


class Child:
    """A process in a session of its own: Ctrl-C in the terminal reaches the demo alone, which stops it in order."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], sink: Sink) -> None:
        self.name = name
        self.sink = sink
        self._rest = b""
        parent = os.getpid()
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: _tie_to(parent),
        )
        os.set_blocking(self.output.fileno(), False)

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    @property
    def ending(self) -> str:
        code = self.process.returncode
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def pass_on(self) -> bool:
        """Give what it wrote to its sink, line by line; False at the end of its output."""
        try:
            while part := os.read(self.output.fileno(), 65536):
                *lines, self._rest = (self._rest + part).split(b"\n")
                for line in lines:
                    self.sink(line.decode(errors="replace"))
        except BlockingIOError:
            return True
        return False

    def kill_session(self) -> None:
        """End what is left of it: processes that it started and could not stop."""
        for pid in psutil.pids():
            try:
                if os.getsid(pid) == self.process.pid:
                    os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        self.process.wait()
        self.pass_on()
        self.output.close()


def _tie_to(parent: int) -> None:
    """In a child: ask Linux for SIGTERM when the demo dies, however it dies. (Elsewhere SIGKILL leaves children.)"""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


class Crew:
    """The children in the order in which they were started; they are stopped in the opposite order."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        """Seconds that each child gets to stop."""
        self.children: list[Child] = []
        self.asked = 0
        self._selector = selectors.DefaultSelector()
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        self._selector.register(self._wake, selectors.EVENT_READ, None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda signum, frame: None)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda signum, frame: self.ask_to_stop())

    def ask_to_stop(self) -> None:
        self.asked += 1

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], sink: Sink) -> Child:
        child = Child(name, command, environment, sink)
        self.children.append(child)
        self._selector.register(child.output, selectors.EVENT_READ, child)
        return child

    def watch(self, until: Callable[[], bool], seconds: float = float("inf")) -> None:
        """Pass on what the children write until something is true.

        Raises ChildEnded when a child ends before that, StopAsked, or TooLong.
        """
        end = time.monotonic() + seconds
        while not until():
            if self.asked:
                raise StopAsked
            for child in self.children:
                if child.ended:
                    raise ChildEnded(child)
            if time.monotonic() > end:
                raise TooLong
            self._turn()

    def let_go(self, child: Child) -> None:
        """Forget a child that has ended."""
        self.children.remove(child)
        self._end(child)

    def wait_for(self, child: Child, seconds: float) -> int:
        """Exit status of a child that is to end by itself. Raises as `watch` does."""
        try:
            self.watch(lambda: child.ended, seconds)
        except ChildEnded as error:
            if error.child is not child:
                raise
        self.let_go(child)
        return int(child.process.returncode)

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop all children. Another Ctrl-C makes them hurry."""
        while self.children:
            child = self.children.pop()
            self._stop(child)
            self._end(child)

    def _stop(self, child: Child) -> None:
        end = time.monotonic() + self.patience
        sent, pause = 0, 0.0
        while not child.ended and time.monotonic() < end:
            if sent < max(1, self.asked) and time.monotonic() > pause:
                sent, pause = sent + 1, time.monotonic() + APART
                child.process.terminate()
            self._turn()

    def _end(self, child: Child) -> None:
        if child.output in {key.fileobj for key in self._selector.get_map().values()}:
            self._selector.unregister(child.output)
        child.kill_session()

    def _turn(self) -> None:
        """Wait until a child writes or ends, or a signal comes; at most a moment."""
        for key, _ in self._selector.select(0.2):
            if key.data is None:
                os.read(self._wake, 4096)
            elif not key.data.pass_on():
                self._selector.unregister(key.fileobj)
