"""What all parts of the suite stand on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.test import SimpleTestCase

from ..compat import AnyResult, BaseTaskBackend, task_backends, task_enqueued, task_finished, task_started
from . import tasks

SIGNALS = {"enqueued": task_enqueued, "started": task_started, "finished": task_finished}

if TYPE_CHECKING:
    Base = SimpleTestCase
else:
    Base = object


class Suite(Base):
    """The backend under test, and how its tasks get run."""

    backend = "default"
    """Its alias in ``TASKS``."""

    def setUp(self) -> None:
        super().setUp()
        tasks.ran.clear()

    def drain(self) -> None:
        """Run every task that is due, and return when that is done."""
        raise NotImplementedError

    @property
    def under_test(self) -> BaseTaskBackend:
        found: BaseTaskBackend = task_backends[self.backend]
        return found

    def on(self, task: Any, **options: Any) -> Any:
        """The task on the backend under test."""
        return task.using(backend=self.backend, **options)

    def outcome(self, task: Any, *args: Any, **kwargs: Any) -> AnyResult:
        """The result of a call, once the backend has run it; read anew where it can be."""
        result: AnyResult = self.on(task).enqueue(*args, **kwargs)
        self.drain()
        if self.under_test.supports_get_result:
            return self.under_test.get_result(result.id)
        return result

    def needs(self, feature: str) -> None:
        """Skip a test of something that the backend does not claim to support."""
        if not getattr(self.under_test, f"supports_{feature}"):
            self.skipTest(f"{type(self.under_test).__name__} does not support {feature}")

    @contextmanager
    def heard(self) -> Iterator[list[tuple[str, type, AnyResult]]]:
        """The signals that are sent in this process: name, sender and result."""
        heard: list[tuple[str, type, AnyResult]] = []
        receivers = {}
        for name, signal in SIGNALS.items():

            def note(sender: type, task_result: AnyResult, name: str = name, **kwargs: Any) -> None:
                heard.append((name, sender, task_result))

            receivers[name] = note
            signal.connect(note, weak=False)
        try:
            yield heard
        finally:
            for name, signal in SIGNALS.items():
                signal.disconnect(receivers[name])
