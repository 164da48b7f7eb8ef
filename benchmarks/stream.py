"""How long it takes from the commit of a change to the listeners of `events/`.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/x REDIS_URL=redis://127.0.0.1:6379/15 python -m benchmarks.stream

The database must exist; nothing of it is deleted. The API runs under uvicorn; the writer and the listeners have
processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import django
from django.core.management import call_command

Change = tuple[int, str]
"""A job's id, and the state that it entered."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL"))
    parser.add_argument("--redis-url", default=os.environ.get("REDIS_URL"))
    parser.add_argument("--listeners", type=int, default=50)
    parser.add_argument("--rate", type=float, default=200, help="changes a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ |= {"DATABASE_URL": options.database_url, "REDIS_URL": options.redis_url}
    os.environ["DJANGO_SETTINGS_MODULE"] = "example_project.settings"
    django.setup()
    if options.write:
        print(json.dumps(write(options.rate, options.seconds)))
        return
    call_command("demo_setup", users=True)
    with server() as port:
        command = [sys.executable, "-m", "benchmarks.stream", "--write", "--rate", str(options.rate)]
        heard, written = asyncio.run(listen(port, options.listeners, [*command, "--seconds", str(options.seconds)]))
    report(heard, written, options)


def write(rate: float, seconds: float) -> list[tuple[int, str, float]]:
    """Enqueue, claim and end jobs, one after the other; when each change was committed."""
    from datetime import timedelta

    from django_jobs import clock
    from django_jobs.states import machine
    from django_jobs.states.statements import Finish
    from example_project.demo.jobs import echoes

    changes: list[tuple[int, str, float]] = []
    began = time.monotonic()

    def committed(job: int, state: str) -> None:
        changes.append((job, state, time.time()))
        time.sleep(max(0.0, began + len(changes) / rate - time.monotonic()))

    while time.monotonic() - began < seconds:
        job = echoes.enqueue(1)
        committed(job.pk, "enqueued")
        (held,) = machine.claim([job.pk], [job.job_type], "bench/1")
        committed(job.pk, "processing")
        now = clock.now()
        machine.acknowledge(
            [Finish(job.pk, held.run, "succeeded", "", now, now, "1", "{}", timedelta(days=1), 0)], "bench/1"
        )
        committed(job.pk, "succeeded")
    return changes


@contextmanager
def server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "example_project.asgi:application", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning", "--lifespan", "off"])
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


async def listen(port: int, number: int, command: list[str]) -> tuple[list[dict[Change, float]], list[list[object]]]:
    heard: list[dict[Change, float]] = [{} for _ in range(number)]
    readers = [asyncio.create_task(read(port, one)) for one in heard]
    await asyncio.sleep(3)
    writer = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    out, _ = await writer.communicate()
    await asyncio.sleep(1)
    for reader in readers:
        reader.cancel()
    return heard, json.loads(out)


async def read(port: int, heard: dict[Change, float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = ["GET /api/events/ HTTP/1.1", "Host: 127.0.0.1", "Accept: text/event-stream", "Authorization: Token demo"]
    writer.write("\r\n".join([*head, "", ""]).encode())
    while line := await reader.readline():
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            heard[event["job"], event["state"]] = time.time()


def report(heard: list[dict[Change, float]], written: list[list[object]], options: argparse.Namespace) -> None:
    late = sorted(
        1000 * (one[job, state] - at)
        for one in heard
        for job, state, at in written
        if (job, state) in one  # type: ignore[index, operator]
    )
    total = len(written) * len(heard)
    span = written[-1][2] - written[0][2]  # type: ignore[operator]
    print(f"{len(written)} changes in {span:.1f} s, {len(written) / span:.0f} a second, {len(heard)} listeners")
    print(f"heard {len(late)} of {total}")
    for share in (0.5, 0.9, 0.99, 1):
        print(f"p{100 * share:g}: {late[min(len(late) - 1, int(share * len(late)))]:.0f} ms")


if __name__ == "__main__":
    main()
