"""Memory that a supervisor shares with a child it forked: it outlives the child, however that dies."""

from __future__ import annotations

import mmap
import struct


class Shared:
    """The job that a worker runs, written by it; whether it should take no new ones, written by the supervisor."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 16)

    @property
    def job_id(self) -> int:
        """Id of the job that is running, 0 for none."""
        return int(struct.unpack_from("q", self._memory, 0)[0])

    @job_id.setter
    def job_id(self, value: int) -> None:
        struct.pack_into("q", self._memory, 0, value)

    @property
    def quiet(self) -> bool:
        return bool(self._memory[8])

    @quiet.setter
    def quiet(self, value: bool) -> None:
        self._memory[8] = value
