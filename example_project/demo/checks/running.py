"""What people may ask of jobs that run: to end, to pause, to go on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django_jobs.models import Job, Server
from example_project.demo.jobs import completes, echoes, sleeps, waits, wakes
from example_project.shop import catalogue
from example_project.shop.jobs import import_catalogue
from example_project.shop.models import Product

from . import claim, ended, patience, told

ROWS = 150


@claim("cancel of a running one", "deleted: Cancelled; it heard and ended")
def cancel_running() -> str:
    return _heard(_running(waits.enqueue()))


@claim("cancel of a running async one", "deleted: Cancelled; it heard and ended")
def cancel_async() -> str:
    return _heard(_running(wakes.enqueue()))


@claim("cancel by force of one that does not listen", "deleted: Cancelled; its worker was replaced")
def force() -> str:
    job = _running(sleeps.enqueue(600))
    job.cancel(force=True)
    gone = _until(lambda: not Server.objects.filter(name=job.worker).exists())
    return f"{told(job, lambda job: job.state_reason)}; its worker was {'replaced' if gone else 'left'}"


@claim("pause of one that waits", "paused, then succeeded: 1")
def pause_waiting() -> str:
    job = echoes.schedule(timedelta(seconds=0.5), 1)
    job.pause()
    time.sleep(0.7)
    before = _fresh(job).state
    job.resume()
    return f"{before}, then {told(job)}"


@claim("pause and resume of a running import", f"paused on its way, then succeeded: {ROWS} products, each once")
def pause_running() -> str:
    job, path = _importing()
    job.pause()
    paused = _until(lambda: _fresh(job).state == "paused")
    where = "on its way" if 0 < _imported(path) < ROWS else "at an end"
    job.resume()
    return f"{'paused' if paused else 'running'} {where}, then {_outcome(job, path)}"


@claim("kill -9 of its worker", f"goes on in run 2: succeeded: {ROWS} products, each once")
def killed() -> str:
    job, path = _importing()
    os.kill(Server.objects.get(name=_fresh(job).worker).pid, signal.SIGKILL)
    outcome = _outcome(job, path)
    return f"goes on in run {_fresh(job).run}: {outcome}"


@claim("success and effect in one transaction", "succeeded: by its own transaction")
def completion() -> str:
    return told(completes.enqueue())


def _importing() -> tuple[Job, Path]:
    """An import that has begun, with its file."""
    path = catalogue.arrives(ROWS)
    job = import_catalogue.using(queue="default").enqueue(str(path), 0.01)
    _until(lambda: _imported(path) > 5)
    return job, path


def _outcome(job: Job, path: Path) -> str:
    rows = list(Product.objects.filter(catalogue=path.stem).values_list("number", flat=True)) if ended(job) else []
    once = "each once" if sorted(rows) == list(range(1, ROWS + 1)) else f"{len(rows)} rows"
    return f"{told(job, lambda job: job.result['products'])} products, {once}"


def _imported(path: Path) -> int:
    return Product.objects.filter(catalogue=path.stem).count()


def _heard(job: Job) -> str:
    job.cancel()
    heard = _until(lambda: _fresh(job).asked == "")
    return f"{told(job, lambda job: job.state_reason)}; it {'heard and ended' if heard else 'runs on'}"


def _running(job: Job) -> Job:
    _until(lambda: _fresh(job).state == "processing")
    return job


def _fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def _until(condition: Callable[[], bool]) -> bool:
    """Whether it came true in time."""
    end = time.monotonic() + patience()
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
