"""A cron expression in words, which cron-descriptor finds in some thirty languages."""

from __future__ import annotations

import re
from functools import lru_cache
from inspect import signature
from pathlib import Path
from typing import Any

from .grammar import HOUR, MINUTE, MONTH, SECOND, Field, Rules, fields_of

cron_descriptor: Any
try:
    import cron_descriptor
except ImportError:  # the extra `words`
    cron_descriptor = None

SCRIPTS = {"zh-hans": "zh-cn", "zh-hant": "zh-tw"}
"""Languages that Django names by their script, and the library by a country."""


def describe(expression: str, rules: Rules, language: str) -> str:
    """As it is written where there are no words, or where they would tell something else."""
    fields = _as_the_library_reads_it(expression, rules)
    if cron_descriptor is None or fields is None:
        return expression
    options = cron_descriptor.Options()  # before 2.0 it takes no arguments
    options.locale_code, options.use_24hour_time_format = _locale(language), True
    return str(cron_descriptor.ExpressionDescriptor(" ".join(fields), options))


def _is_old() -> bool:
    """Before 2.0, as django-celery-beat wants it."""
    return "locale_code" not in signature(cron_descriptor.Options).parameters


def _as_the_library_reads_it(expression: str, rules: Rules) -> list[str] | None:
    """Six fields that mean the same to cron-descriptor; None if there are none."""
    second, minute, hour, day, month, weekday = (text.replace("?", "*") for text in fields_of(expression))
    if "*" not in (day, weekday) and (not rules.either or _is_old()):
        return None  # it says "or" between the two; before 2.0, "only on"
    if re.search("L-[0-9]+W|L.*,|,.*L", day) or re.search("[L#].*,|,.*[L#]", re.sub("[A-Z]{3}", "0", weekday)):
        return None
    if "/" in weekday:
        weekday = ",".join(str(number) for number in range(7) if rules.weekdays.plain >> number & 1)
    return [
        _whole(SECOND, second, rules.seconds),
        _whole(MINUTE, minute, rules.minutes),
        _whole(HOUR, hour, rules.hours),
        day,
        _whole(MONTH, month, rules.months),
        weekday,
    ]


def _whole(field: Field, text: str, bits: int) -> str:
    return "*" if bits.bit_count() == field.span else text


@lru_cache
def _locale(language: str) -> str:
    """The library's name for Django's ``de`` or ``pt-br``; English where it has none."""
    known = sorted(path.stem for path in (Path(cron_descriptor.__file__).parent / "locale").glob("*.mo"))
    code, _, country = SCRIPTS.get(language.lower(), language).replace("-", "_").partition("_")
    wanted = [f"{code.lower()}_{country.upper()}", *(name for name in known if name.startswith(f"{code.lower()}_"))]
    return next((name for name in wanted if name in known), "en_US")
