"""Arguments and results as JSON: refused at the door with the argument's name, back by annotation."""

from __future__ import annotations

import enum
import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from django_jobs.call import as_python, decode_arguments, encode_arguments, encode_result
from django_jobs.exceptions import InvalidArgument, PayloadTooLarge
from django_jobs.registry import JobType


class Colour(enum.Enum):
    RED = "red"


def typed(
    at: datetime,
    on: date,
    key: uuid.UUID,
    price: Decimal,
    colour: Colour,
    keys: list[uuid.UUID],
    maybe: Decimal | None = None,
    prices: dict[str, Decimal] | None = None,
    *more: date,
) -> None: ...


def free(*args: Any, **kwargs: Any) -> None: ...


TYPED = JobType("typed", typed)
FREE = JobType("free", free)


def there_and_back(job_type: JobType, *args: Any, **kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    stored = json.loads(json.dumps(encode_arguments(job_type, args, kwargs)))
    return decode_arguments(job_type, *stored)


def test_values_come_back_as_their_annotations_say() -> None:
    at = datetime(2026, 3, 1, 12, 30, 15, 250, tzinfo=UTC)
    key = uuid.uuid4()
    on = date(2026, 3, 1)
    args = (at, on, key, Decimal("10.50"), Colour.RED, [key], Decimal("1.1"), {"a": Decimal("2")}, on)
    assert there_and_back(TYPED, *args) == (list(args), {})


def test_keyword_arguments_come_back_too() -> None:
    key = uuid.uuid4()
    given = {"key": key, "price": Decimal(1), "colour": Colour.RED, "keys": [key]}
    assert there_and_back(TYPED, datetime.now(UTC), date.today(), **given)[1] == given


@pytest.mark.django_db
def test_a_model_instance_travels_as_its_primary_key() -> None:
    def greet(group: Group) -> None: ...

    group = Group.objects.create(name="readers")
    job_type = JobType("greet", greet)
    job_type.__dict__["annotations"] = {"group": Group}
    assert encode_arguments(job_type, (group,), {}) == ([group.pk], {})
    assert there_and_back(job_type, group) == ([group], {})


@pytest.mark.parametrize(
    ("args", "field", "message"),
    [
        ((object(),), "args[0]", "builtins.object"),
        ((1, {"a": [1, {2, 3}]}), "args[1].a[1]", "builtins.set"),
        ((float("nan"),), "args[0]", "JSON has no such number"),
        ((float("-inf"),), "args[0]", "JSON has no such number"),
        (("a\x00b",), "args[0]", "NUL"),
        (("\ud800",), "args[0]", "surrogate"),
        (({1: 2},), "args[0]", "keys of a JSON object are text"),
        (({"a\x00": 2},), "args[0]", "NUL"),
        ((b"bytes",), "args[0]", "bytes"),
        ((Group(name="new"),), "args[0]", "was not saved"),
    ],
)
def test_what_json_cannot_hold_is_refused_by_name(args: tuple[Any, ...], field: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message) as refused:
        encode_arguments(FREE, args, {})
    assert refused.value.field == field


def test_a_list_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidArgument, match="nested more than 50"):
        encode_arguments(FREE, (endless,), {})


def test_a_call_that_does_not_fit_the_signature_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="missing a required argument: 'on'"):
        encode_arguments(TYPED, (datetime.now(UTC),), {})


def test_the_context_is_not_the_callers_to_give() -> None:
    def with_context(ctx: Any, path: str) -> None: ...

    job_type = JobType("with_context", with_context, takes_context=True)
    assert encode_arguments(job_type, ("a.csv",), {}) == (["a.csv"], {})
    with pytest.raises(InvalidArgument):
        encode_arguments(job_type, ("ctx", "a.csv"), {})


@override_settings(DJANGO_JOBS={"MAX_PAYLOAD": 100})
def test_a_payload_over_the_limit_is_refused_with_both_sizes() -> None:
    with pytest.raises(PayloadTooLarge, match="limit is 100") as refused:
        encode_arguments(FREE, ("x" * 200,), {})
    assert refused.value.size > 200


def test_a_stored_argument_that_no_longer_fits_its_annotation_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"args\[2\].*'no-uuid' is no UUID"):
        decode_arguments(TYPED, ["2026-03-01T00:00:00Z", "2026-03-01", "no-uuid", "1", "red", []], {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda of: st.lists(of) | st.dictionaries(st.text(), of),
)


@given(JSON)
def test_plain_json_travels_unchanged_or_is_refused(value: Any) -> None:
    try:
        args, kwargs = encode_arguments(FREE, (value,), {})
    except InvalidArgument:
        return
    assert json.loads(json.dumps(args)) == [value]
    assert decode_arguments(FREE, args, kwargs) == ([value], {})


@given(st.one_of(st.floats(), st.text(), st.binary(), st.builds(object), st.sets(st.integers())))
def test_a_result_is_never_refused(value: Any) -> None:
    text, _ = encode_result(value)
    assert text is not None
    json.loads(text, parse_constant=pytest.fail)
    assert "\\u0000" not in text
    text.encode()


def test_a_result_that_json_cannot_hold_is_stored_as_text_and_marked() -> None:
    assert encode_result({1}) == ('"{1}"', True)
    assert encode_result(None) == (None, False)
    assert encode_result({"a": uuid.UUID(int=0)}) == ('{"a": "00000000-0000-0000-0000-000000000000"}', False)


def test_a_result_whose_text_cannot_be_made_fails_nothing() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    assert encode_result(Broken())[1]


def test_a_call_reads_as_python() -> None:
    assert as_python("billing.create", [7, "a"], {"copy": True}) == "billing.create(7, 'a', copy=True)"
