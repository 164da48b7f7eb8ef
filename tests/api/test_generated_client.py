"""A client that a generator makes of the schema: it enqueues, waits, and understands what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django.live_server_helper import LiveServer

from tests.api.conftest import Caller
from tests.test_docs import work

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def generated(root: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of the client that was generated."""
    schema, config, client = tmp_path / "schema.json", tmp_path / "config.yml", tmp_path / "generated_client"
    schema.write_text(json.dumps(json.loads(root.client.get("/api/schema/?format=json").content)))
    config.write_text("post_hooks: []\n")
    options = ["--path", str(schema), "--output-path", str(client), "--meta", "none", "--config", str(config)]
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda name: import_module(f"generated_client.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == "generated_client"]:
        del sys.modules[name]


def test_a_generated_client_enqueues_and_reads_a_job(generated: Any, live_server: LiveServer) -> None:
    User.objects.create_superuser("robot", password="secret")
    models, api = generated("models"), "api.jobs.jobs_"
    client = generated("client").AuthenticatedClient(
        base_url=f"{live_server.url}/api", prefix="Basic", token=b64encode(b"robot:secret").decode()
    )
    call = models.EnqueueRequest(job_type="tests.adds", args=[2, 3], tags=["acme"])
    job = generated(f"{api}create").sync(client=client, body=call, idempotency_key="order-7")
    assert (type(job), job.args, job.tags) == (models.Job, [2, 3], ["acme"])
    assert generated(f"{api}create").sync(client=client, body=call, idempotency_key="order-7").id == job.id
    work()
    ended = generated(f"{api}retrieve").sync(str(job.id), client=client, wait=10)
    assert (ended.state.value, ended.result, ended.created_by) == ("succeeded", 5, "robot")
    page = generated(f"{api}list").sync(client=client, tag="acme")
    assert [one.id for one in page.results] == [job.id]
    wrong = models.EnqueueRequest(job_type="tests.adds", args=[2])
    problem = generated(f"{api}create").sync(client=client, body=wrong)
    assert (type(problem), problem.status, problem.errors[0].field) == (models.Problem, 400, "args")
    nightly = models.AddRequest(id="nightly", job_type="tests.adds", args=[1, 2], cron="0 2 * * *")
    assert generated("api.recurring_jobs.recurring_jobs_create").sync(client=client, body=nightly).id == "nightly"
