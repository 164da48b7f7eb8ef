"""A caller of the API, logged in as somebody with certain permissions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

ROOT = "/api/"


class Caller:
    """Sends JSON and gives back status and JSON."""

    def __init__(self, user: User | None) -> None:
        self.user = user
        self.client = Client()
        if user is not None:
            self.client.force_login(user)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        data = {} if method == "get" else {"data": "" if body is None else json.dumps(body)}
        answer = getattr(self.client, method)(ROOT + path, **data, content_type="application/json", headers=headers)
        if answer.status_code >= 400:
            assert answer["Content-Type"] == "application/problem+json", answer.content
        return answer.status_code, json.loads(answer.content) if answer.content else None

    def get(self, path: str) -> Any:
        code, told = self("get", path)
        assert code == 200, told
        return told


AsUser = Callable[..., Caller]


@pytest.fixture
def caller(db: None) -> AsUser:
    def make(*permissions: str) -> Caller:
        user = User.objects.create_user(f"user{User.objects.count()}")
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        return Caller(user)

    return make


@pytest.fixture
def root(db: None) -> Caller:
    return Caller(User.objects.create_superuser("root"))
