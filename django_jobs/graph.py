"""Jobs that belong together: calls that are bound first and stored later, and continuations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from asgiref.sync import sync_to_async

from . import client, schedules
from .creation import Options
from .exceptions import InvalidJob
from .models import Job
from .registry import JobType
from .transactions import atomic


@dataclass(frozen=True)
class BoundCall:
    """A call with its options, not yet enqueued: for a batch, or for `then`."""

    job_type: JobType | str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    options: Options = field(default_factory=Options)
    chain: tuple[BoundCall, ...] = ()
    """What follows it, each the one before."""

    def then(self, task: Any, /, *args: Any, **kwargs: Any) -> BoundCall:
        """This call, followed by another: the last one's continuation."""
        return replace(self, chain=(*self.chain, continuation(task, args, kwargs)))

    def enqueue(self) -> Job:
        """Store it in the caller's transaction, with what follows it; returns the last of these jobs."""
        with atomic():
            job = client.enqueue(self.job_type, [(self.args, self.kwargs)], self.options)[0]
            for call in self.chain:
                job = then(job, call, (), {})
        return job

    async def aenqueue(self) -> Job:
        return await sync_to_async(self.enqueue, thread_sensitive=True)()


def continuation(task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> BoundCall:
    """The call of `then(task, *args, **kwargs)`. `on` is the option, unless the function has such a parameter.

    Raises InvalidJob.
    """
    if isinstance(task, BoundCall):
        if task.chain or args or set(kwargs) - {"on"}:
            raise InvalidJob("task", "is a bound call; it takes no further arguments, and nothing may follow it yet")
        return _follower(replace(task, options=task.options.merged(**kwargs)))
    if not hasattr(task, "bind"):
        raise InvalidJob("task", f"is {task!r:.100}; give a job type's function, or a call of its bind()")
    if "on" in kwargs and "on" not in task.job_type.signature.parameters:
        task = task.using(on=kwargs.pop("on"))
    return _follower(task.bind(*args, **kwargs))


def _follower(call: BoundCall) -> BoundCall:
    if call.options.after:
        raise InvalidJob("after", "is given by then(); use enqueue() for a job that waits for several")
    return call


def then(parent: Any, task: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Job:
    """Store a job that waits for `parent`, a job or a batch. Options are those of the task, and `on`."""
    call = continuation(task, args, kwargs)
    return client.enqueue(call.job_type, [(call.args, call.kwargs)], call.options.merged(after=[parent]))[0]


athen = sync_to_async(then, thread_sensitive=True)


VERBS = {"then": then, "athen": athen}


def verb(name: str) -> Any:
    """The function behind a verb of the models: one of these, or one below."""
    return VERBS.get(name) or schedules.verb(name)
