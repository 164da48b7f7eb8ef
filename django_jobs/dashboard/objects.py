"""Arguments and metadata that name a row of the site, as links to its page in the admin."""

from __future__ import annotations

import re
import types
import typing
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib.admin.sites import AdminSite
from django.contrib.admin.utils import quote
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst

MOST = 20
"""Links that are made of one argument."""
DEEPEST = 4
NAMED = re.compile(r"^([A-Za-z_]\w*\.[A-Za-z_]\w*):(\S{1,100})$")
"""A text that names a row, as "shop.invoice:7"."""
SUFFIXES = ("_id", "_ids", "_pk", "_pks")


@dataclass(frozen=True)
class ObjectLink:
    """A row of the site, by the name of its model and its key."""

    label: str
    url: str


class Objects:
    """Finds what values name, among the models of this admin that the reader may look at. Reads no row."""

    def __init__(self, request: HttpRequest, site: AdminSite) -> None:
        self._request = request
        self._site = site

    def named_by(self, name: str, value: Any, hint: Any = None) -> list[ObjectLink]:
        """Links for a value: by the annotation of its parameter, by what it says itself, or by its name."""
        links: dict[str, ObjectLink] = {}
        for model, key in self._found(name, value, _model_of(hint), 0):
            link = self._link(model, key)
            if link is not None:
                links[link.url] = link
            if len(links) == MOST:
                break
        return list(links.values())

    def link_to(self, row: Model, name: str) -> ObjectLink | None:
        """A link to what a foreign key of a row points at."""
        key = getattr(row, f"{name}_id")
        related = row._meta.get_field(name).related_model
        return None if key is None or not isinstance(related, type) else self._link(related, key)

    def _found(self, name: str, value: Any, model: type[Model] | None, depth: int) -> Iterator[tuple[type[Model], Any]]:
        if depth > DEEPEST or isinstance(value, bool | float | None):
            return
        if isinstance(value, dict):
            for key, part in value.items():
                yield from self._found(key, part, None, depth + 1)
        elif isinstance(value, list):
            for part in value:
                yield from self._found(name, part, model, depth + 1)
        elif model is not None:
            yield model, value
        elif isinstance(value, str) and (named := NAMED.match(value)):
            if (of := self._by_label.get(named[1].lower())) is not None:
                yield of, named[2]
        elif (of := self._by_name.get(_noun(name))) is not None and _is_key(name, value):
            yield of, value

    def _link(self, model: type[Model], key: Any) -> ObjectLink | None:
        handler = self._site._registry.get(model)
        if handler is None or not handler.has_view_or_change_permission(self._request):
            return None
        meta = model._meta
        try:
            meta.pk.to_python(key)
            where = f"admin:{meta.app_label}_{meta.model_name}_change"
            url = reverse(where, args=[quote(key)], current_app=self._site.name)
        except (ValidationError, NoReverseMatch):
            return None
        return ObjectLink(f"{capfirst(meta.verbose_name)} {key}", url)

    @cached_property
    def _by_label(self) -> dict[str, type[Model]]:
        return {model._meta.label_lower: model for model in self._site._registry}

    @cached_property
    def _by_name(self) -> dict[str, type[Model]]:
        """Models by their own name, where only one has it."""
        often = Counter(model._meta.model_name for model in self._site._registry)
        return {name: model for model in self._site._registry if often[name := model._meta.model_name or ""] == 1}


def _noun(name: str) -> str:
    """The model's name in that of an argument: "invoice" in invoice_id, "salesorder" in sales_order_ids."""
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name.replace("_", "").lower()


def _is_key(name: str, value: Any) -> bool:
    """A number under a model's name is its key; a text is one where the name says so."""
    return isinstance(value, int) or name.endswith(SUFFIXES)


def _model_of(hint: Any) -> type[Model] | None:
    """The model that an annotation names, by itself or inside of Optional, list and the like."""
    if isinstance(hint, type) and issubclass(hint, Model):
        return hint
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType, typing.Annotated, list, set, frozenset, tuple):
        models = {found for part in typing.get_args(hint) if (found := _model_of(part)) is not None}
        return models.pop() if len(models) == 1 else None
    return None
