"""Sample jobs with arguments that name rows of the site, or that nobody is to see."""

from __future__ import annotations

from django.contrib.auth.models import Group

from django_jobs import job


@job("tests.greets")
def greets(group: Group, times: int = 1) -> None: ...


@job("tests.signs_in", sensitive=["pin"])
def signs_in(user_id: int, password: str = "", pin: int = 0, **options: object) -> None: ...
