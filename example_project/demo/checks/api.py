"""The REST API, by its token, without a web server."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.contrib.auth.models import User
from django.test import Client
from rest_framework.authtoken.models import Token

from . import claim, patience

JSON = "application/json"


@claim("enqueued over the REST API", "201, succeeded: 5")
def enqueue() -> str:
    client = _client()
    code, job = _post(client, "jobs/", {"job_type": "check.adds", "args": [2, 3]})
    told = client.get(f"/api/jobs/{job['id']}/?wait={patience():.0f}").json()
    return f"{code}, {told['state']}: {told['result']}"


@claim("a wrong argument over the REST API", "400, args")
def refused() -> str:
    code, told = _post(_client(), "jobs/", {"job_type": "check.adds", "args": [2]})
    return f"{code}, {told['errors'][0]['field']}"


@claim("events over the REST API", "enqueued, processing, succeeded")
def events() -> str:
    client = _client()
    place = client.get("/api/events/").json()["after"]
    _, job = _post(client, "jobs/", {"job_type": "check.adds", "args": [2, 3]})
    client.get(f"/api/jobs/{job['id']}/?wait={patience():.0f}")
    told = client.get(f"/api/events/?after={place}&job={job['id']}").json()
    return ", ".join(event["state"] for event in told["events"])


@claim("the same request twice", "the same job")
def twice() -> str:
    client, key = _client(), {"Idempotency-Key": uuid4().hex}
    answers = [_post(client, "jobs/", {"job_type": "check.adds", "args": [2, 3]}, **key) for _ in range(2)]
    return "the same job" if answers[0][1]["id"] == answers[1][1]["id"] else "two jobs"


def _client() -> Client:
    user, _ = User.objects.get_or_create(username="checks", defaults={"is_superuser": True})
    token, _ = Token.objects.get_or_create(user=user)
    return Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Token {token.key}"})


def _post(client: Client, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    answer = client.post(f"/api/{path}", body, content_type=JSON, headers=headers)
    return answer.status_code, answer.json()
