"""What nobody is shown: values under sensitive names, wherever they stand, and texts that quote them."""

from __future__ import annotations

from typing import Any

import pytest

from django_jobs import job, monitoring
from django_jobs.checks import check_settings
from django_jobs.exceptions import InvalidJob
from django_jobs.masking import HIDDEN, Mask
from django_jobs.models import Job


def mask(*args: Any, job_type: str = "tests.signs_in", **kwargs: Any) -> Mask:
    return Mask(Job(job_type=job_type, args=list(args), kwargs=kwargs))


@pytest.mark.parametrize("name", ["password", "PASSWORD", "new_password", "X-Api-Key", "apiKey", "accessToken"])
def test_a_sensitive_name_is_known_however_it_is_written(name: str) -> None:
    assert mask(job_type="x", **{name: "value"}).kwargs == {name: HIDDEN}


@pytest.mark.parametrize("name", ["path", "pass_mark", "key", "author"])
def test_other_names_are_shown(name: str) -> None:
    assert mask(job_type="x", **{name: "value"}).kwargs == {name: "value"}


def test_values_are_hidden_at_any_depth_and_the_rest_stays() -> None:
    shown = mask(job_type="x", login={"user": "ann", "tokens": ["a1", "b2"]}, rows=[{"secret": 1}, {"plain": 2}])
    assert shown.kwargs == {"login": {"user": "ann", "tokens": HIDDEN}, "rows": [{"secret": HIDDEN}, {"plain": 2}]}


def test_positional_arguments_go_by_the_names_of_the_parameters() -> None:
    assert mask(7, "open sesame").args == [7, HIDDEN]
    assert mask(7, "open sesame").call == f"tests.signs_in(7, {HIDDEN!r})"
    assert mask(7, "open sesame", job_type="unknown").args == [7, "open sesame"]


def test_a_job_type_names_arguments_of_its_own() -> None:
    assert mask(7, pin=4711).kwargs == {"pin": HIDDEN}
    assert mask(7, pin=4711, job_type="unknown").kwargs == {"pin": 4711}


def test_texts_that_quote_a_hidden_value_hide_it_too() -> None:
    shown = mask(7, 'it\'s "me"', pin=4711)
    assert shown.text('ValueError: no it\'s "me" with 4711, 42') == f"ValueError: no {HIDDEN} with {HIDDEN}, 42"
    assert shown.text(repr(['it\'s "me"'])) == f"['{HIDDEN}']"
    assert shown.value({"note": ["by 4711"]}) == {"note": [f"by {HIDDEN}"]}
    assert mask(7, "abc").text("abc of the alphabet") == "abc of the alphabet", "so short a text is found everywhere"


def test_the_words_are_a_setting(settings: Any) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "SENSITIVE": ["iban"]}
    assert mask(job_type="x", IBAN="DE02", password="p").kwargs == {"IBAN": HIDDEN, "password": "p"}


@pytest.mark.parametrize("words", ["password", [1], ["--"], None])
def test_words_that_cannot_be_are_told_at_start(settings: Any, words: Any) -> None:
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "SENSITIVE": words}
    assert ["SENSITIVE" in found.msg for found in check_settings(None)] == [True]


@pytest.mark.parametrize(
    ("state", "reason", "told"),
    [
        ("deleted", "Cancelled by itself: no invoice 4711", "Cancelled by itself"),
        ("deleted", "Cancelled by filter shop.Hours: Asha is away", "Cancelled by filter shop.Hours"),
        ("scheduled", "Retry 1 of 3: ValueError: no card", "Retry 1 of 3"),
        ("failed", "ValueError: no card", "ValueError"),
        ("deleted", "Cancelled by asha", "Cancelled by asha"),
    ],
)
def test_what_code_says_of_an_end_is_left_out_for_those_who_see_no_payloads(state: str, reason: str, told: str) -> None:
    assert monitoring.cause(state, reason) == told


def test_a_name_that_is_no_argument_is_refused_at_the_decorator() -> None:
    with pytest.raises(InvalidJob, match="pim"):
        job("tests.misspelt", sensitive=["pim"])(_signs)


def _signs(pin: int) -> None: ...
