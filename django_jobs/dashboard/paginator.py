"""Pages of lists that nobody counts to their end."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.core.paginator import Paginator

from .. import monitoring


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than the cap: the list ends there, and says so."""

    object_list: Any

    @cached_property
    def count(self) -> int:
        return monitoring.capped_count(self.object_list).number
