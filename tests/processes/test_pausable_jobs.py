"""The pausable jobs of `docs/examples/pausable-jobs.md`: agents by type, pause, resume, cancel, search, live state."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import psutil
import pytest

from tests.servers import ROOT, eventually
from tests.sites import Api, Site

pytestmark = [pytest.mark.processes, pytest.mark.once]

PAGE = (ROOT / "docs/examples/pausable-jobs.md").read_text()


@contextmanager
def heard(api: Api, **filters: str) -> Iterator[list[tuple[int, str]]]:
    """What the stream of events tells while one listens: numbers and states of jobs, in order."""
    told: list[tuple[int, str]] = []
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    headers = {"Authorization": "Token demo", "Accept": "text/event-stream"}
    asked = urllib.request.Request(f"{api.address}api/events/?{query}", headers=headers)
    with urllib.request.urlopen(asked, timeout=60) as stream:

        def listen() -> None:
            try:
                for line in stream:
                    if line.startswith(b"data: "):
                        event = json.loads(line[6:])
                        told.append((event["job"], event["state"]))
            except (OSError, ValueError, AttributeError):
                pass  # closed under it

        Thread(target=listen, daemon=True).start()
        yield told


def command(words: str) -> list[str]:
    """The arguments of the page's command that has these words."""
    (line,) = [
        line for line in re.findall(r"^\$ .*manage\.py (.+?)(?: +#.*)?$", PAGE, re.MULTILINE) if line.endswith(words)
    ]
    return str(line).split()


def progress(api: Api, job: int) -> float:
    bars = api.get(f"jobs/{job}/console/")["progress"]
    return float(max((bar["value"] for bar in bars), default=0))


def is_state(api: Api, job: int, state: str) -> None:
    eventually(lambda: api.get(f"jobs/{job}/")["state"] == state, 30, f"job {job} is {state}")


def worker(api: Api, job: int) -> Any:
    return api.get(f"jobs/{job}/")["worker"].split("/")[0]


def kill_all_of(pid: int) -> None:
    agent = psutil.Process(pid)
    for process in [agent, *agent.children(recursive=True)]:
        process.kill()


def test_jobs_go_to_agents_of_their_type_and_are_paused_resumed_and_cancelled_live(site: Callable[..., Site]) -> None:
    example = site(DJANGO_JOBS_PROCESSES="1", DJANGO_JOBS_SERVER_TIMEOUT="3", DJANGO_JOBS_HEARTBEAT_INTERVAL="0.5")
    example.run("demo_setup", "--users")
    api = example.serve()
    counting = example.start(*command("--types stock.count"), "--name", "counting")
    example.start(*command("--types stock.label"), "--name", "labelling")
    eventually(lambda: {"counting", "labelling"} <= set(api.servers()), 30, "both agents live")

    with heard(api, user="demo", job_type="stock.count") as told:
        count = api.enqueue("stock.count", 4000, 0.05)
        label = api.enqueue("stock.label", 4000, 0.05)
        is_state(api, label, "processing")
        eventually(lambda: progress(api, count) > 2, 20, "it counts")
        assert (worker(api, count), worker(api, label)) == ("counting", "labelling")

        api.post(f"jobs/{count}/pause/")
        is_state(api, count, "paused")
        reached = progress(api, count)
        api.post(f"jobs/{count}/resume/")
        eventually(lambda: progress(api, count) > reached, 30, "it goes on")
        assert f"Going on after shelf {int(reached)}" in api.console(count)

        reached = progress(api, count)
        kill_all_of(counting.pid)
        example.start(*command("--types stock.count"), "--name", "another")
        eventually(lambda: worker(api, count) == "another", 30, "another agent takes what the dead one held")
        eventually(lambda: progress(api, count) > reached, 30, "it goes on from the last state")

        api.post(f"jobs/{count}/cancel/")
        states = ["enqueued", "processing", "paused", *["enqueued", "processing"] * 2, "deleted"]
        eventually(lambda: told == [(count, state) for state in states], 10, f"all is told, and only that: {told}")

    mine = api.get("jobs/?user=demo&job_type=stock.label&state=processing")["results"]
    assert [row["id"] for row in mine] == [label]
    assert api.get("jobs/?user=viewer&job_type=stock.label")["results"] == []


def test_the_producer_makes_a_job_of_each_type_in_turn_for_its_user(site: Callable[..., Site]) -> None:
    example = site()
    example.run("demo_setup", "--users")
    arguments = command("--user demo")
    assert arguments[arguments.index("--every") + 1] == "5"
    arguments[arguments.index("--every") + 1] = "0"
    told = example.run(*arguments, "--count", "3")
    assert re.findall(r"^(stock\.\w+): job \d+$", told, re.MULTILINE) == ["stock.count", "stock.label", "stock.count"]
    listed = json.loads(example.run("jobs", "list", "--json"))
    assert {job["created_by"] for job in listed} == {"demo"}
    with pytest.raises(AssertionError, match="no job type is named 'stock.cuont'; did you mean 'stock.count'"):
        example.run("produce", "--types", "stock.cuont")
