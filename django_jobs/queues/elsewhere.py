"""What other schedulers of RQ know: the jobs of rq-scheduler in Redis, and a configuration file of RQ's cron."""

from __future__ import annotations

import io
import json
import pickle
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from rq.cron import CronScheduler
from rq.job import Job as RQJob

from .bells import names
from .lines import by_connection, connect

SCHEDULED = "rq:scheduler:scheduled_jobs"
PLAIN = {
    ("datetime", "datetime"),
    ("datetime", "date"),
    ("datetime", "timedelta"),
    ("decimal", "Decimal"),
    ("uuid", "UUID"),
}
PLAIN |= {("datetime", "timezone"), ("builtins", "set"), ("builtins", "frozenset")}


BROKEN = (
    pickle.UnpicklingError,
    ValueError,
    LookupError,
    TypeError,
    EOFError,
    AttributeError,
    ImportError,
    OverflowError,
    RecursionError,
)
"""What data that are no call make of being read."""


class NotPlain(ValueError):
    """A stored call holds something other than plain values."""


@dataclass
class Call:
    """A call that another scheduler makes again and again."""

    id: str
    function: str
    args: list[Any]
    kwargs: dict[str, Any]
    queue: str
    interval: float | None = None
    cron: str | None = None
    repeat: int | None = None
    local_time: bool = False
    description: str = ""
    problem: str = ""
    """Why its arguments cannot be told."""


class _PlainUnpickler(pickle.Unpickler):
    """Makes values, and calls no function that the data name: data of a Redis must not run code here."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in PLAIN:
            raise NotPlain(f"holds {module}.{name}, which is not stored as JSON")
        return super().find_class(module, name)


def of_rq_scheduler() -> list[Call]:
    """The repeated jobs of rq-scheduler, on every Redis of ``RQ_QUEUES``. Raises `Unreachable`."""
    found: list[Call] = []
    for queues in by_connection(names()):
        client = connect(queues[0], timeout=5.0)
        try:
            entries: Any = client.zrange(SCHEDULED, 0, -1)
            for entry in entries:
                found += _stored(client, _text(entry))
        finally:
            client.close()
    return found


def _stored(client: Redis, id: str) -> Iterator[Call]:
    stored: Any = client.hgetall(f"{RQJob.redis_job_namespace_prefix}{id}")
    fields = {_text(name): value for name, value in stored.items()}
    if not fields:
        return
    call = Call(id, "", [], {}, _text(fields.get("origin", b"")), description=_text(fields.get("description", b"")))
    try:
        meta = _plain(fields["meta"]) if fields.get("meta") else {}
        call.interval, call.cron, call.repeat = meta.get("interval"), meta.get("cron_string"), meta.get("repeat")
        call.local_time = bool(meta.get("use_local_timezone"))
        function, instance, args, kwargs = _plain(_unzipped(fields["data"]))
        call.function, call.args, call.kwargs = function, list(args), dict(kwargs)
        if instance is not None:
            call.problem = "calls a method of an object; make it a function"
    except BROKEN as error:
        call.problem = f"cannot be read: {error}"
    yield call


def _unzipped(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return data


def _plain(data: bytes) -> Any:
    """What RQ's serializers wrote: JSON, or pickle with nothing but plain values."""
    try:
        return json.loads(data)
    except ValueError:
        return _PlainUnpickler(io.BytesIO(data)).load()


def of_rq_cron(path: str) -> list[Call]:
    """What a configuration file (or module) of RQ's cron registers. The file is run, as RQ does. Raises ImportError."""
    known = str(Path(path).resolve()) if path.endswith(".py") else path
    scheduler = CronScheduler(connection=connect(names()[0], timeout=5.0))
    scheduler.load_config_from_file(known)
    return [
        Call(
            id=job.name,
            function=job.func_name,
            args=list(job.args),
            kwargs=dict(job.kwargs),
            queue=job.queue_name,
            interval=job.interval,
            cron=job.cron,
        )
        for job in scheduler.get_jobs()
    ]


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
