"""What tells a page that it is out of date: a stream of hints, or a pulse to be asked for again and again.

Neither says what has happened. The page asks for its parts, by the door that asks for permission.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from django.core.exceptions import BadRequest
from django.core.handlers.asgi import ASGIRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers

from ..conf import settings
from ..streams.access import anew
from ..streams.hub import Find, Full, hub
from ..streams.pulse import pulse
from ..streams.response import Stream, let_go

MOST_JOBS = 200
"""Most jobs that a page follows one by one."""
STATES = "event: jobs\ndata:\n\n"
SAID = "event: said\ndata:\n\n"


def way(request: HttpRequest) -> str:
    """How pages hear of changes: "stream", "poll" or "off"."""
    chosen: str = settings.LIVE_UPDATES
    if chosen != "auto":
        return chosen
    return "stream" if isinstance(request, ASGIRequest) else "poll"


class Watcher:
    """Listens for one page: for some jobs, or for all where none is named."""

    is_behind = False
    alive = ": alive\n\n"

    def __init__(self, jobs: frozenset[int], may: Callable[[], bool]) -> None:
        self.may = may
        self._jobs = jobs
        self._number = 0
        self._waker: Callable[[], None] = lambda: None
        hub.join(self)

    def leave(self) -> None:
        hub.leave(self)

    def begin(self, waker: Callable[[], None]) -> None:
        self._waker = waker
        self._number, _ = hub.begin(self, waker)

    def hello(self) -> str:
        """What happened before the first words is seen by who looks after them."""
        return f"retry: 1000\n{STATES}"

    def catch_up(self) -> str:
        return ""

    def take(self) -> str:
        finds = hub.since(self._number)
        if finds is None:  # slower than the hub keeps its finds
            self.begin(self._waker)
            return STATES
        if not finds:
            return ""
        self._number = finds[-1].number
        moved, said = any(map(self._moved, finds)), any(map(self._said, finds))
        return (STATES if moved else "") + (SAID if said else "")

    def wait(self, seconds: float) -> None:
        hub.wait(self, self._number, seconds)

    def _moved(self, find: Find) -> bool:
        return any(not self._jobs or told.event.job in self._jobs for told in find.told)

    def _said(self, find: Find) -> bool:
        return bool(find.said & self._jobs if self._jobs else find.said)


def watch(request: HttpRequest, may: Callable[[Any], bool]) -> HttpResponseBase:
    """The answer to a page that wants to hear of changes. `may` is asked again while it listens."""
    if way(request) == "off":
        raise Http404
    jobs = _jobs(request)
    if request.headers.get("Accept") != "text/event-stream":
        return _pulse(request, jobs)
    try:
        watcher = Watcher(jobs, lambda: _still(request, may))
    except Full:
        return HttpResponse(status=503, headers={"Retry-After": "5"})
    let_go()
    return Stream(watcher, asynchronous=isinstance(request, ASGIRequest))


def _still(request: HttpRequest, may: Callable[[Any], bool]) -> bool:
    try:
        return may(anew(request))
    finally:
        let_go()


def _jobs(request: HttpRequest) -> frozenset[int]:
    text = request.GET.get("jobs", "")
    numbers = text.split(",") if text else []
    if len(numbers) > MOST_JOBS or not all(one.isascii() and one.isdecimal() and len(one) < 19 for one in numbers):
        raise BadRequest(f"jobs is a list of at most {MOST_JOBS} numbers of jobs, with commas")
    return frozenset(map(int, numbers))


def _pulse(request: HttpRequest, jobs: frozenset[int]) -> HttpResponse:
    """Two stamps, other ones after each change of a state and after each word."""
    stamps = [blake2b(repr(value).encode(), digest_size=6).hexdigest() for value in pulse(jobs)]
    tag = f'"{".".join(stamps)}"'
    same = request.headers.get("If-None-Match", "").removeprefix("W/") == tag
    answer = HttpResponseNotModified() if same else JsonResponse(dict(zip(("jobs", "said"), stamps, strict=True)))
    answer.headers["ETag"] = tag
    add_never_cache_headers(answer)
    return answer
