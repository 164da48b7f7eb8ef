"""What a listener of the API hears of events, and from where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .. import feed
from ..feed import Event, Place
from ..streams.hub import Find, Told, hub, told_of
from ..streams.response import let_go

PAGE = 500


@dataclass(frozen=True)
class Wanted:
    """Which events; what is empty does not matter."""

    job: int | None = None
    job_type: str = ""
    queue: str = ""
    user: str = ""
    states: frozenset[str] = frozenset()

    def __contains__(self, event: Event) -> bool:
        return (
            (self.job is None or event.job == self.job)
            and (not self.job_type or event.job_type == self.job_type)
            and (not self.queue or event.queue == self.queue)
            and (not self.user or event.user == self.user)
            and (not self.states or event.state in self.states)
        )


class Listener:
    """Reads on from a place: first what it missed, from the database, then what the hub finds."""

    def __init__(self, wanted: Wanted, place: Place | None, *, payload: bool, may: Callable[[], bool]) -> None:
        self.wanted = wanted
        self.payload = payload
        self.may = may
        self._place = place
        self._until: Place | None = None
        self._number = 0
        self._waker: Callable[[], None] = lambda: None
        hub.join(self, payload=payload)

    def leave(self) -> None:
        hub.leave(self)

    def begin(self, waker: Callable[[], None]) -> None:
        self._waker = waker
        self._number, reached = hub.begin(self, waker)
        self._until = None if self._place is None else reached
        self._place = self._place or reached

    @property
    def is_behind(self) -> bool:
        """Whether it has to look at the database itself."""
        return self._until is not None or hub.since(self._number) is None

    def catch_up(self) -> str:
        """A page of what was missed, as text; "" once nothing was missed any more."""
        try:
            if self._until is None:  # slower than the hub keeps its finds
                self._number, self._until = hub.begin(self, self._waker)
            assert self._place is not None
            found, place, more = feed.read(self._place, until=self._until, limit=PAGE)
            self._place = place if more else self._until
            self._until = self._until if more else None
            mine = [event for event in found if event in self.wanted]
            return self._text(told_of(mine, payload=self.payload), self._place)
        finally:
            let_go()

    def take(self) -> str:
        """What the hub has found since, as text."""
        finds: list[Find] = hub.since(self._number) or []
        if not finds:
            return ""
        self._number, self._place = finds[-1].number, finds[-1].place
        return self._text([told for find in finds for told in find.told], self._place)

    def hello(self) -> str:
        """The first words: where it is, unless it has still to catch up from where it was."""
        place = "" if self._until is not None else f"id: {self._place}\n"
        return f"retry: 1000\n{place}\n"

    def _text(self, found: list[Told], place: Place) -> str:
        """Events, the last one with the place: who loses the connection between them hears the others again."""
        mine = [
            told.with_payload if self.payload else told.without_payload for told in found if told.event in self.wanted
        ]
        return "\n".join(mine) + f"id: {place}\n\n" if mine else ""

    def wait(self, seconds: float) -> None:
        hub.wait(self, self._number, seconds)

    @property
    def alive(self) -> str:
        return f": alive\nid: {self._place}\n\n"
