"""Bad requests, many at a time, to a real server: each is answered clearly, and nothing is stored by halves."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User

from django_jobs.models import Job, RecurringJob
from tests.api.conftest import Caller
from tests.servers import ROOT, eventually

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "1000"))
AT_ONCE = 50
EVIL = [
    "<script>alert(1)</script>",
    "'; DROP TABLE django_jobs_job; --",
    '"}]}\\',
    "\u202e",
    "a" * 9000,
    "😀",
    "%00",
    "{{7*7}}",
]
CALL = {"job_type": "tests.adds", "args": [1, 2]}
CRON = {"job_type": "tests.succeeds", "cron": "0 2 * * *"}

Request = tuple[str, str, Any]


def requests(chance: random.Random) -> Iterator[Request]:
    """Method, path and body (as JSON, or bytes as they are); the good ones among them count jobs."""
    while True:
        text = chance.choice(EVIL)
        wrong: Any = chance.choice([None, 0, -1, 1e308, True, [], {}, [[]], text, "x" * 300, 2**70])
        field = chance.choice(
            ["job_type", "args", "kwargs", "queue", "priority", "tags", "delay", "run_after", "after"]
        )
        yield chance.choice(
            [
                ("POST", "jobs/", CALL),
                ("POST", "jobs/", {"job_type": "tests.adds", "args": [text, text], "tags": [text[:100]]}),
                ("POST", "jobs/", {**CALL, field: wrong}),
                ("POST", "jobs/", {**CALL, text: wrong}),
                ("POST", "jobs/", {"job_type": text}),
                ("POST", "jobs/", b"[" * 50_000),
                ("POST", "jobs/", b'{"job_type": "\xff"}'),
                ("POST", "jobs/", b"x" * 3_000_000),
                ("POST", "jobs/", {"job_type": "tests.adds", "args": ["x" * 300_000, 1]}),
                ("POST", "jobs/bulk/", {"jobs": [CALL, CALL, {**CALL, field: wrong}]}),
                ("POST", "jobs/bulk/", {"jobs": wrong}),
                (
                    "POST",
                    "recurring-jobs/",
                    {**CRON, "id": text, "cron": chance.choice(["* " * 3000, "0 0 31 2 *", text])},
                ),
                ("POST", "recurring-jobs/", {**CRON, "id": wrong, "time_zone": text}),
                ("POST", "queues/../../admin/pause/", {}),
                ("GET", f"jobs/{chance.choice(['-1', '9' * 18, '9' * 30, '1%20OR%201=1', '%3Cb%3E'])}/", None),
                (
                    "GET",
                    f"jobs/?{chance.choice(['state', 'arg', 'cursor', 'search', 'tag', 'created_after'])}=%27%22%3C%00",
                    None,
                ),
                ("GET", f"events/?after={'1~2-3-4' * 500}.0", None),
                ("DELETE", "jobs/99999999/", None),
                ("PATCH", "jobs/1/", {"state": "succeeded"}),
            ]
        )


class Answers:
    def __init__(self) -> None:
        self.codes: Counter[int] = Counter()
        self.made = 0
        self.bad: list[tuple[Request, int, bytes]] = []

    def take(self, request: Request, code: int, body: bytes) -> None:
        self.codes[code] += 1
        told = json.loads(body) if body and code != 404 else {}
        if code >= 500 or b"Traceback" in body or (code >= 400 and code != 404 and told["status"] != code):
            self.bad.append((request, code, body[:500]))
        if code == 201 and request[1].startswith("jobs/"):
            self.made += len(told) if isinstance(told, list) else 1


async def send(port: int, todo: Iterator[Request], answers: Answers) -> None:
    key = b64encode(b"root:secret").decode()
    for request in todo:
        method, path, body = request
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        head = [f"{method} /api/{path} HTTP/1.1", "Host: localhost", f"Authorization: Basic {key}", "Connection: close"]
        head += ["Content-Type: application/json", f"Content-Length: {len(data)}", "", ""]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write("\r\n".join(head).encode() + data)
        answer = await reader.read()
        writer.close()
        top, _, content = answer.partition(b"\r\n\r\n")
        if b"chunked" in top.lower():
            content = content.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
        answers.take(request, int(top.split()[1]), content)


async def storm(port: int, number: int) -> Answers:
    source, answers = requests(random.Random(7)), Answers()
    todo = (next(source) for _ in range(number))
    await asyncio.gather(*[send(port, todo, answers) for _ in range(AT_ONCE)])
    return answers


@pytest.fixture
def web(server_environment: dict[str, str], tmp_path: Any) -> Iterator[int]:
    """The port of an ASGI server with the tests' site."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "--factory",
        "django.core.asgi:get_asgi_application",
        "--port",
        str(port),
    ]
    with (tmp_path / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--lifespan", "off"], env=server_environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        eventually(lambda: _answers(port), 30, "the web server answers")
        yield port
    finally:
        process.terminate()
        process.wait(20)
    assert "Traceback" not in (tmp_path / "web.log").read_text()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_a_storm_of_bad_requests(web: int) -> None:
    User.objects.create_superuser("root", password="secret")
    answers = asyncio.run(storm(web, REQUESTS))
    print(dict(answers.codes), answers.made, "jobs")
    assert answers.bad == []
    assert sum(answers.codes.values()) == REQUESTS
    assert {201, 400, 404, 405, 413} <= set(answers.codes)
    assert Job.objects.count() == answers.made
    assert {tuple(job.args) for job in Job.objects.exclude(args=[1, 2])} <= {(text, text) for text in EVIL}
    assert not RecurringJob.objects.exclude(id__in=EVIL).exists()


@pytest.mark.parametrize("method", ["get", "post", "delete"])
@pytest.mark.parametrize("path", ["nothing/", "jobs/seven/", "servers/7x/quiet/", "batches/¨/cancel/"])
def test_an_address_that_there_is_not_is_answered_as_every_error_is(root: Caller, method: str, path: str) -> None:
    code, told = root(method, path)
    assert (code, told["status"], told["detail"]) == (404, 404, "There is no such address.")


def test_a_forgotten_slash_is_still_added(root: Caller) -> None:
    assert root.client.get("/api/jobs").headers["Location"] == "/api/jobs/"
