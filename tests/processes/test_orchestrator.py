"""The orchestrator of `docs/examples/orchestrator.md`: a client without workers, a server without a web side."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from tests.servers import ROOT, eventually
from tests.sites import Api, Site

pytestmark = [pytest.mark.processes, pytest.mark.once]

PAGE = (ROOT / "docs/examples/orchestrator.md").read_text()


def history(api: Api, job: int) -> list[str]:
    return [entry["name"] for entry in api.get(f"jobs/{job}/states/")]


def state(api: Api, job: int) -> Any:
    return api.get(f"jobs/{job}/")["state"]


def listens(pid: int) -> list[Any]:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    return [line for one in family for line in one.net_connections("tcp") if line.status == psutil.CONN_LISTEN]


def test_a_client_starts_what_only_the_server_can_do(site: Callable[..., Site]) -> None:
    example = site()
    example.run("demo_setup", "--users")
    client, server = dict.fromkeys(re.findall(r"DJANGO_SETTINGS_MODULE=(\S+)", PAGE))
    example.environment["DJANGO_JOBS_PROCESSES"] = "2"
    api = example.serve(DJANGO_SETTINGS_MODULE=client)
    types = api.get("job-types/")
    assert [row["name"] for row in types if not row["name"].startswith("django_jobs.")] == []
    code, told = api("POST", "api/jobs/", {"job_type": "orchestrator.greet", "args": ["Ada"]})
    assert (code, told["errors"][0]["field"]) == (400, "job_type")

    runs = example.start("runjobs", "--name", "server", DJANGO_SETTINGS_MODULE=server)
    live = eventually(lambda: api.servers().get("server"), 30, "the server lives")
    eventually(lambda: len(api.servers()["server"]["children"]) == 3, 30, "every component lives")
    live = api.servers()["server"]
    assert sorted(child["kind"] for child in live["children"]) == ["scheduler", "worker", "worker"]
    eventually(lambda: [one["kind"] for one in api.servers()["server"]["children"] if one["leads"]] == ["scheduler"])
    assert listens(runs.pid) == []
    assert {row["name"] for row in api.get("job-types/") if row["served"]} == set(live["types"])
    assert [row["id"] for row in api.get("recurring-jobs/")["results"]] == ["easyjob"]
    _runs_every_kind(api)

    doctor = json.loads(example.run("jobs", "doctor", "--json", DJANGO_SETTINGS_MODULE=client))
    found = {finding["subject"]: finding["found"] for finding in doctor}
    assert "server/" in found["Scheduler"]
    assert found["Servers"] == "1 alive with 2 worker(s)"


def _runs_every_kind(api: Api) -> None:
    """Fire and forget, delayed, recurring, tried again, cancelled, failed: with their states."""
    greeting = api.enqueue("orchestrator.greet", "Ada")
    assert api.ended(greeting)["result"] == "Welcome, Ada!"
    assert history(api, greeting) == ["enqueued", "processing", "succeeded"]

    later = api.enqueue("orchestrator.greet", "Grace", delay=86400)
    assert state(api, later) == "scheduled"
    api.post(f"jobs/{later}/reschedule/", {"delay": 0.5})
    assert api.ended(later)["state"] == "succeeded"

    easy = api.post("recurring-jobs/easyjob/trigger/")["id"]
    assert api.ended(easy)["state"] == "succeeded"
    eventually(lambda: api.console(easy) == ["Easy!"], what="what it printed is kept")

    tried = api.enqueue("orchestrator.call_service")
    chained = api.enqueue("orchestrator.greet", "Linus", after=[tried])
    assert state(api, chained) == "awaiting"
    eventually(lambda: state(api, chained) == "succeeded", 30, "what waited for it has run")
    assert api.ended(tried)["result"] == "answered attempt 2"
    assert history(api, tried) == [
        "enqueued",
        "processing",
        "failed",
        "scheduled",
        "enqueued",
        "processing",
        "succeeded",
    ]

    watching = api.enqueue("orchestrator.watch")
    eventually(lambda: state(api, watching) == "processing", 20)
    api.post(f"jobs/{watching}/cancel/")
    eventually(lambda: state(api, watching) == "deleted", 10)

    lost = api.enqueue("orchestrator.call_service", 99)
    eventually(lambda: state(api, lost) == "failed", 30, "its attempts are used up")
    assert api.get(f"jobs/{lost}/")["expires_at"], "it is kept for a day"
