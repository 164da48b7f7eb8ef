"""What a backend must refuse, and what it must not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.test import override_settings

from ... import clock
from ..compat import BaseTaskBackend, InvalidTask, Task
from . import tasks
from .suite import Suite


class Validation(Suite):
    """Tasks that could not run are refused when they are made, and again when they are enqueued."""

    def made(self, function: Any = tasks.plain, **options: Any) -> Any:
        terms: dict[str, Any] = {"priority": 0, "queue_name": "default", "run_after": None, "takes_context": False}
        return self.under_test.task_class(func=function, backend=self.backend, **{**terms, **options})

    def test_it_is_a_backend_of_this_family(self) -> None:
        self.assertIsInstance(self.under_test, BaseTaskBackend)
        self.assertTrue(issubclass(self.under_test.task_class, Task))
        self.assertEqual(self.under_test.alias, self.backend)

    def test_a_function_that_cannot_be_imported_is_refused(self) -> None:
        def local() -> None: ...

        for function in (local, lambda: None, len):
            with self.assertRaises(InvalidTask):
                self.made(function)

    def test_a_context_needs_its_argument(self) -> None:
        with self.assertRaises(InvalidTask):
            self.made(takes_context=True)
        self.assertTrue(self.made(tasks.plain_with_context, takes_context=True).takes_context)

    def test_a_priority_is_a_whole_number_within_bounds(self) -> None:
        for priority in (-101, 101, 1.5):
            with self.assertRaises(InvalidTask):
                self.made(priority=priority)
        if self.under_test.supports_priority:
            self.assertEqual([self.made(priority=at).priority for at in (-100, 100)], [-100, 100])

    def test_a_priority_is_refused_where_it_is_not_heeded(self) -> None:
        if not self.under_test.supports_priority:
            with self.assertRaises(InvalidTask):
                self.made(priority=1)

    def test_a_queue_must_be_known(self) -> None:
        if not self.under_test.queues:
            self.skipTest("the backend takes any queue")
        with self.assertRaises(InvalidTask):
            self.made(queue_name="no such queue")
        with self.assertRaises(InvalidTask):
            self.on(tasks.succeeds, queue_name="no such queue")

    def test_async_functions(self) -> None:
        if self.under_test.supports_async_task:
            self.assertEqual(self.made(tasks.plain_async).name, "plain_async")
        else:
            with self.assertRaises(InvalidTask):
                self.made(tasks.plain_async)

    def test_a_time_without_zone_is_refused(self) -> None:
        with override_settings(USE_TZ=True), self.assertRaises(InvalidTask):
            self.on(tasks.succeeds, run_after=datetime(2040, 1, 1))

    def test_a_time_is_refused_where_it_is_not_heeded(self) -> None:
        if not self.under_test.supports_defer:
            with self.assertRaises(InvalidTask):
                self.on(tasks.succeeds, run_after=clock.now() + timedelta(hours=1))

    def test_what_became_invalid_is_refused_at_enqueue(self) -> None:
        task = self.made()
        object.__setattr__(task, "priority", 101)
        with self.assertRaises(InvalidTask):
            self.under_test.enqueue(task, [], {})

    def test_using_makes_a_copy(self) -> None:
        copy = self.on(tasks.succeeds)
        self.assertEqual((copy.backend, copy.func), (self.backend, tasks.succeeds.func))
        if self.under_test.supports_priority:
            self.assertEqual((copy.using(priority=7).priority, copy.priority), (7, 0))

    def test_a_task_is_still_a_function(self) -> None:
        self.assertEqual(self.on(tasks.succeeds).call(3, key=4), [3, 4])
        self.assertEqual(self.on(tasks.returns_a_tuple).call(), (1, 2))

    def test_an_async_task_can_be_called_by_sync_code(self) -> None:
        self.needs("async_task")
        self.assertEqual(self.on(tasks.succeeds_async).call(3), 3)

    def test_checks_find_nothing(self) -> None:
        self.assertEqual(list(self.under_test.check()), [])
