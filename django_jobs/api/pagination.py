"""Pages by key: no page costs more than a window of rows, however sparse the answer is."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from .. import monitoring


class WindowedPages(BasePagination):
    """Pages of jobs by id. Each looks at `monitoring.WINDOW` ids at most: it may hold few, and have a next.

    Whoever follows `next` to its end has seen every match.
    """

    page_size = 50
    largest = 500

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        self.size = _size(request, self.page_size, self.largest)
        backwards = not self._ascending(request)
        start = self._start(request)
        ids = (
            queryset.model._base_manager.using(queryset.db)
            .order_by("-pk" if backwards else "pk")
            .values_list("pk", flat=True)
        )
        if start is not None:
            ids = ids.filter(pk__lt=start) if backwards else ids.filter(pk__gt=start)
        edge = ids[monitoring.WINDOW - 1 : monitoring.WINDOW].first()
        inside = {} if start is None else {"pk__lt" if backwards else "pk__gt": start}
        if edge is not None:
            inside["pk__gte" if backwards else "pk__lte"] = edge
        page = list(queryset.filter(**inside).order_by("-pk" if backwards else "pk")[: self.size + 1])
        more = len(page) > self.size
        page = page[: self.size]
        self.next_start = page[-1].pk if more else edge
        return page

    def _ascending(self, request: Request) -> bool:
        order = request.query_params.get("ordering", "-id")
        if order not in {"id", "-id", "created_at", "-created_at"}:
            raise ValidationError({"ordering": [f"is {order[:50]!r}; give id, -id, created_at or -created_at"]})
        return not order.startswith("-")

    def _start(self, request: Request) -> int | None:
        text = request.query_params.get("cursor")
        if text is None:
            return None
        try:
            number = base64.urlsafe_b64decode(text.encode()).decode("ascii")
        except (ValueError, binascii.Error):
            number = ""
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise ValidationError({"cursor": ["is none that a page has given; follow the links of the pages"]})
        return int(number)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._link(), "results": data})

    def _link(self) -> str | None:
        if self.next_start is None:
            return None
        cursor = base64.urlsafe_b64encode(str(self.next_start).encode()).decode()
        return str(replace_query_param(self.request.build_absolute_uri(), "cursor", cursor))

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return _paged(schema)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        orders = ["id", "-id", "created_at", "-created_at"]
        return [
            _parameter("cursor", {"type": "string"}, "Where the page begins, as the page before says."),
            _parameter(
                "page_size",
                _sizes(self.page_size, self.largest),
                "Most entries of one page. A page may have fewer and still have a next one.",
            ),
            _parameter("ordering", {"type": "string", "enum": orders, "default": "-id"}, "Newest or oldest first."),
        ]


class NamedPages(BasePagination):
    """Pages of rows whose key is a text, in its order."""

    page_size = 100
    largest = 1000

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        size = _size(request, self.page_size, self.largest)
        after = request.query_params.get("after", "")
        page = list(queryset.filter(pk__gt=after.replace("\x00", "")).order_by("pk")[: size + 1])
        self.last = page[size - 1].pk if len(page) > size else None
        return page[:size]

    def get_paginated_response(self, data: Any) -> Response:
        link = None if self.last is None else replace_query_param(self.request.build_absolute_uri(), "after", self.last)
        return Response({"next": link, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return _paged(schema)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            _parameter("after", {"type": "string"}, "Begin behind this id."),
            _parameter("page_size", _sizes(self.page_size, self.largest), "Most entries of one page."),
        ]


def _size(request: Request, usual: int, largest: int) -> int:
    text = request.query_params.get("page_size", str(usual))
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= largest):
        raise ValidationError({"page_size": [f"is {text[:50]!r}; give a number from 1 to {largest}"]})
    return int(text)


def _paged(schema: dict[str, Any]) -> dict[str, Any]:
    link = {"type": "string", "nullable": True, "format": "uri", "description": "The next page; null at the end."}
    return {"type": "object", "required": ["next", "results"], "properties": {"next": link, "results": schema}}


def _sizes(usual: int, largest: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": largest, "default": usual}


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
