"""Why there is no answer to a search."""

from __future__ import annotations

from ..exceptions import JobsError


class BadSearch(JobsError, ValueError):
    """A search was not understood: ``term`` is the part of it. `hidden` ones take the right to see payloads."""

    def __init__(self, term: str, expected: str, *, hidden: bool = False) -> None:
        super().__init__(f"{term}: {expected}")
        self.term = term
        self.hidden = hidden


class SearchTimeout(JobsError, TimeoutError):
    """A search took longer than the setting ``SEARCH_TIMEOUT`` allows, and was ended by the database."""
