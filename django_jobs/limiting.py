"""What `@job` accepts about limits and unique keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .exceptions import InvalidJob
from .rates import RateLimit, rates_from
from .storing import checked_choice, checked_span

OPTIONS = (
    *("max_concurrency", "concurrency_key", "max_per_key", "rate_limit"),
    *("unique", "unique_for", "on_duplicate"),
)


def check(options: Mapping[str, Any]) -> None:
    """Raise InvalidJob for an option that cannot be."""
    for name in ("max_concurrency", "max_per_key"):
        if (number := options.get(name)) is not None:
            checked_number(number, name)
    _check_template(options, "concurrency_key")
    if options.get("unique") not in (True, False, None):
        _check_template(options, "unique")
    if options.get("unique_for") is not None:
        checked_span(options["unique_for"])
    checked_choice(options.get("on_duplicate", "return"))
    if not options.get("unique") and {"unique_for", "on_duplicate"} & {*options}:
        name = "unique_for" if "unique_for" in options else "on_duplicate"
        raise InvalidJob(name, "says something of a unique key; give unique=, too")
    if "max_per_key" in options and not options.get("concurrency_key"):
        raise InvalidJob("max_per_key", "says something of a concurrency key; give concurrency_key=, too")


def checked_number(number: Any, name: str) -> int:
    """How many may run at once. Raises InvalidJob naming the option."""
    if type(number) is not int or not 0 < number < 2**31:
        raise InvalidJob(name, f"is {number!r}; give a whole number of at least 1")
    return number


def rates(value: Any) -> tuple[RateLimit, ...]:
    """The rate limits of a type. Raises InvalidJob."""
    try:
        return rates_from(value)
    except ValueError as error:
        raise InvalidJob("rate_limit", str(error)) from None


def _check_template(options: Mapping[str, Any], name: str) -> None:
    given = options.get(name)
    if given is not None and not callable(given) and not (isinstance(given, str) and given):
        raise InvalidJob(name, f'is {given!r}; give a template such as "customer-{{customer_id}}", or a function')
