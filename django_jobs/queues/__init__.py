"""All of RQ's queues and of Redis, the only rooms beside the worker that know either."""

from .bells import (
    BANDS,
    BLOCK,
    band,
    forget_addresses,
    keys_of,
    names,
    pop,
    portion,
    put_back,
    ring,
    rung,
    split,
    waiting,
)
from .commands import COMMAND, Order, send
from .lines import Line, Unreachable, by_connection, connect, facts, hang_up, line, problem
from .neighbour import BellJob, JobQueue

__all__ = [
    "BANDS",
    "BLOCK",
    "COMMAND",
    "BellJob",
    "JobQueue",
    "Line",
    "Order",
    "Unreachable",
    "band",
    "by_connection",
    "connect",
    "facts",
    "forget_addresses",
    "hang_up",
    "keys_of",
    "line",
    "names",
    "pop",
    "portion",
    "problem",
    "put_back",
    "ring",
    "rung",
    "send",
    "split",
    "waiting",
]
