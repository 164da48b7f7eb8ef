"""What stands around each run: the callables of ``MIDDLEWARE``, as Django's own are written, then filters' ``perform``.

Each layer is sync or async; where two that differ meet, one is adapted. A sync layer runs in the worker's thread
whatever the job is, and an async one in the event loop of an async job.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .conf import settings
from .exceptions import Cancel
from .registry import JobType
from .states import filters
from .states.filters import Filter

if TYPE_CHECKING:
    from .context import JobContext

Call = Callable[["JobContext"], Any]
RunAsync = Callable[[Any, "JobContext"], Any]


class Layer(NamedTuple):
    """What is to be called with a context, from the function inside outward."""

    call: Call
    is_async: bool


@cache
def around(job_type: JobType, core: Callable[[JobType, JobContext], Any], run_async: RunAsync) -> Call | None:
    """The call that takes a run of this type through its layers to `core`; None where there are none."""
    around_it = filters.chain("perform", job_type.name)
    if not (settings.MIDDLEWARE or around_it):
        return None
    layer = _innermost(job_type, core, run_async)
    for one in reversed(around_it):
        layer = _through_filter(one, layer, run_async)
    for path in reversed(settings.MIDDLEWARE):
        layer = _through_factory(path, layer, run_async)
    return _as_sync(layer, run_async).call


def problem(path: Any) -> str:
    """Why this names no middleware; empty when it does."""
    try:
        found = import_string(path)
    except Exception as error:  # noqa: BLE001  (a module that is imported may raise anything)
        return f"{type(error).__name__}: {error}"
    return "" if callable(found) else "it cannot be called"


def _innermost(job_type: JobType, core: Callable[[JobType, JobContext], Any], run_async: RunAsync) -> Layer:
    def call(ctx: JobContext) -> Any:
        result = core(job_type, ctx)
        return run_async(result, ctx) if inspect.isawaitable(result) else result

    async def async_call(ctx: JobContext) -> Any:
        return await core(job_type, ctx)

    return Layer(async_call, is_async=True) if job_type.is_async else Layer(call, is_async=False)


def _through_filter(one: Filter, inner: Layer, run_async: RunAsync) -> Layer:
    if iscoroutinefunction(one.perform):
        inner = _as_async(inner)

        async def async_call(ctx: JobContext) -> Any:
            return await one.perform(ctx, lambda: inner.call(ctx))

        return _signed(inner._replace(call=async_call), filters.name_of(one))
    inner = _as_sync(inner, run_async)
    return _signed(inner._replace(call=lambda ctx: one.perform(ctx, lambda: inner.call(ctx))), filters.name_of(one))


def _through_factory(path: str, inner: Layer, run_async: RunAsync) -> Layer:
    """As Django does it: the factory's marks say what it takes, and what it returns is sync or async."""
    factory = import_string(path)
    takes_sync = getattr(factory, "sync_capable", True)
    takes_async = getattr(factory, "async_capable", False)
    if inner.is_async and not takes_async:
        inner = _as_sync(inner, run_async)
    elif not inner.is_async and not takes_sync:
        inner = _as_async(inner)
    made = factory(inner.call)
    return _signed(Layer(made, iscoroutinefunction(made)), path)


def _as_sync(layer: Layer, run_async: RunAsync) -> Layer:
    """`run_async` lends this thread to sync code that is called from the event loop."""
    if not layer.is_async:
        return layer
    return Layer(lambda ctx: run_async(layer.call(ctx), ctx), is_async=False)


def _as_async(layer: Layer) -> Layer:
    if layer.is_async:
        return layer
    return Layer(sync_to_async(layer.call, thread_sensitive=True), is_async=True)


def _signed(layer: Layer, name: str) -> Layer:
    """Note in a Cancel who raised it: the innermost layer that it passes."""
    if not layer.is_async:

        def call(ctx: JobContext) -> Any:
            try:
                return layer.call(ctx)
            except Cancel as wish:
                wish.by = wish.by or name
                raise

        return layer._replace(call=call)

    async def async_call(ctx: JobContext) -> Any:
        try:
            return await layer.call(ctx)
        except Cancel as wish:
            wish.by = wish.by or name
            raise

    return layer._replace(call=async_call)


def _reload(*, setting: str, **kwargs: object) -> None:
    if setting == "DJANGO_JOBS":
        around.cache_clear()


setting_changed.connect(_reload, dispatch_uid="django_jobs.middleware")
