"""Many applications on one database, as `example_project/many/docker-compose.yml` starts them; on PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.db import connection

from django_jobs.management.commands.runjobs import Command
from tests.processes.test_demo import database_url
from tests.servers import ROOT, eventually
from tests.sites import Api, Site

pytestmark = pytest.mark.processes

FILE = ROOT / "example_project/many/docker-compose.yml"
COMPOSE = yaml.safe_load(FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
KNOWN = {"build", "image", "command", "environment", "depends_on", "volumes", "ports", "healthcheck", "init", "restart"}
KNOWN |= {"stop_grace_period"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}


@pytest.mark.once
def test_the_compose_file_is_as_the_format_asks() -> None:
    assert set(COMPOSE) - {"services", "volumes"} == {name for name in COMPOSE if name.startswith("x-")}
    for name, service in SERVICES.items():
        assert set(service) <= KNOWN, name
        assert ("image" in service) != ("build" in service), name
        assert all(isinstance(value, str) for value in service.get("environment", {}).values()), name
        assert isinstance(service.get("command", []), list), name
        for other, terms in service.get("depends_on", {}).items():
            assert terms["condition"] in CONDITIONS
            assert terms["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in COMPOSE["volumes"]
        for port in service.get("ports", []):
            assert re.fullmatch(r"\d+:\d+", port)
        if "build" in service:
            folder = (FILE.parent / service["build"]["context"]).resolve()
            assert folder == ROOT
            assert (folder / service["build"]["dockerfile"]).is_file()


@pytest.mark.once
def test_whoever_stops_a_server_of_the_file_waits_longer_than_its_grace() -> None:
    parser = Command().create_parser("manage.py", "runjobs")
    for name in ("north", "south"):
        words = SERVICES[name]["command"]
        options = parser.parse_args(words[words.index("runjobs") + 1 :])
        assert int(SERVICES[name]["stop_grace_period"].rstrip("s")) >= options.grace + 10


def start(example: Site, name: str) -> None:
    """As the engine would: the service's command in the service's environment, but for where database and Redis are."""
    service = SERVICES[name]
    assert service["command"][:2] == ["python", "manage.py"]
    given = {key: value for key, value in service["environment"].items() if not key.endswith("_URL")}
    run = example.run if name == "setup" else example.start
    run(*service["command"][2:], **given)


@pytest.fixture
def example(site: Callable[..., Site], transactional_db: None) -> Site:
    if connection.vendor != "postgresql":
        pytest.skip("several applications on one PostgreSQL")
    rules = {"DJANGO_JOBS_CLEANUP_INTERVAL": "1", "KEEP_SECONDS": "30", "DJANGO_JOBS_SWEEP_INTERVAL": "2"}
    return site(DATABASE_URL=database_url(), **rules)


def runs(api: Api) -> list[Any]:
    ended = "jobs/?recurring_job=my-job&state=succeeded"
    return [row for row in api.get(ended)["results"] if row["worker"]]


def test_two_applications_share_what_both_have_and_leave_the_rest_alone(example: Site) -> None:
    start(example, "setup")
    for name in ("north", "south"):
        start(example, name)
    api = example.serve(DJANGO_SETTINGS_MODULE=SERVICES["dashboard"]["environment"]["DJANGO_SETTINGS_MODULE"])
    eventually(lambda: {"north", "south"} <= set(api.servers()), 40, "both applications live")

    schedules = {row["id"]: row["application"] for row in api.get("recurring-jobs/")["results"]}
    assert sorted(schedules) == ["maintenance", "my-job", "north-report", "south-report"]
    assert (schedules["north-report"], schedules["south-report"]) == ("north", "south")

    own = [api.post(f"recurring-jobs/{name}-report/trigger/")["id"] for name in ("north", "south") for _ in range(4)]
    workers = [api.ended(job)["worker"].split("/")[0] for job in own]
    assert workers == ["north"] * 4 + ["south"] * 4

    burst = [api.enqueue("shared.my_job") for _ in range(6)]
    assert {api.ended(job)["worker"].split("/")[0] for job in burst} == {"north", "south"}
    lines = eventually(lambda: (said := api.console(burst[0]))[1:] and said, 10, "both lines are stored")
    assert [line.split(" at ")[0] for line in lines] == ["Job started", "Job finished"]

    eventually(lambda: len(runs(api)) >= 2, 40, "the schedule that both have goes on")
    ticks = [row["created_at"] for row in api.get("jobs/?recurring_job=my-job&page_size=100")["results"]]
    assert len({tick[:19] for tick in ticks}) == len(ticks), "no tick came twice"
    eventually(lambda: api("GET", f"api/jobs/{own[0]}/")[0] == 404, 40, "what is kept no longer is deleted")
    assert api.ended(api.enqueue("shared.maintenance"))["state"] == "succeeded"
