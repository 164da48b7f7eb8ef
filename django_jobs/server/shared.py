"""Memory that a supervisor shares with a child it forked: it outlives the child, however that dies."""

from __future__ import annotations

import mmap
import struct
from typing import NamedTuple

SLOT = struct.Struct("qqd")
HEAD = 8


class Slot(NamedTuple):
    """One job that a worker is running."""

    job_id: int
    run: int
    deadline: float
    """Monotonic time at which the supervisor kills the worker because of this job; 0 for never."""


class Shared:
    """The jobs that a worker runs, written by it; what others want of it: to take no new ones, or to be killed."""

    def __init__(self, slots: int = 1) -> None:
        self._slots = slots
        self._memory = mmap.mmap(-1, HEAD + slots * SLOT.size)

    def begin(self, slot: int, job_id: int, run: int, deadline: float = 0.0) -> None:
        """Say that a job runs in that slot."""
        SLOT.pack_into(self._memory, HEAD + slot * SLOT.size, job_id, run, deadline)

    def end(self, slot: int) -> None:
        SLOT.pack_into(self._memory, HEAD + slot * SLOT.size, 0, 0, 0.0)

    def running(self) -> list[Slot]:
        """The jobs that are running, or were when the worker died."""
        slots = (Slot(*SLOT.unpack_from(self._memory, HEAD + n * SLOT.size)) for n in range(self._slots))
        return [slot for slot in slots if slot.job_id]

    def clear(self) -> None:
        """For another child."""
        for slot in range(self._slots):
            self.end(slot)
        self.condemned = False

    @property
    def quiet(self) -> bool:
        return bool(self._memory[0])

    @quiet.setter
    def quiet(self, value: bool) -> None:
        self._memory[0] = value

    @property
    def condemned(self) -> bool:
        """Whether it is killed so that one of its jobs ends, which is no death."""
        return bool(self._memory[1])

    @condemned.setter
    def condemned(self, value: bool) -> None:
        self._memory[1] = value
