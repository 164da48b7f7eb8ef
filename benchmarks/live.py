"""How long it takes until a page of the dashboard shows what has happened, in a real browser.

    DATABASE_URL=postgres://… REDIS_URL=redis://… python -m benchmarks.live [asgi|wsgi] [times]

Migrates that database, starts the example's web server on it, and opens the job list and the page of a running job in
Chromium. Each new job, change of state and line of a console is timed from the return of the call to the change of
the page.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import django

PORT = int(os.environ.get("PORT", "8724"))
SITE = f"http://127.0.0.1:{PORT}"
SERVERS = {
    "asgi": [
        sys.executable,
        "-m",
        "uvicorn",
        "example_project.asgi:application",
        "--port",
        str(PORT),
        "--no-access-log",
    ],
    "wsgi": [sys.executable, "manage.py", "runserver", "--noreload", "--nostatic", str(PORT)],
}
WATCH = """([selector, text]) => {
    window.seen = new Promise(resolve => {
        const has = one => one.textContent.includes(text);
        const look = () => [...document.querySelectorAll(selector)].some(has) && resolve(Date.now());
        look();
        new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
    });
}"""


@contextmanager
def server(kind: str) -> Iterator[None]:
    process = subprocess.Popen(SERVERS[kind], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            try:
                urllib.request.urlopen(f"{SITE}/admin/login/").close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def session() -> str:
    """The cookie of a superuser."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    user, _ = get_user_model().objects.get_or_create(username="bench", is_superuser=True, is_staff=True, is_active=True)
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)


def measured(page: Any, selector: str, text: str, deed: Callable[[], Any]) -> float:
    """Milliseconds from the deed's return to its sight."""
    page.evaluate(WATCH, [selector, text])
    time.sleep(random.uniform(0.1, 0.6))
    deed()
    done = time.time()
    return float(page.evaluate("window.seen")) - done * 1000


def scenes(page: Any, times: int) -> Iterator[tuple[str, list[float]]]:
    from django_jobs import JobContext
    from django_jobs.console import outbox
    from django_jobs.states import machine
    from example_project.demo.jobs import adds

    page.goto(f"{SITE}/admin/django_jobs/job/")
    yield (
        "new job in the list",
        [
            measured(page, ".field-call", f"({number}, 1)", lambda number=number: adds.enqueue(number, 1))
            for number in range(10_000, 10_000 + times)
        ],
    )
    spans = []
    for number in range(20_000, 20_000 + times):
        job = adds.enqueue(number, 1)
        page.goto(f"{SITE}/admin/django_jobs/job/?q={job.pk}")
        deed = lambda job=job: machine.claim([job.pk], ["check.adds"], "bench:1")  # noqa: E731
        spans.append(measured(page, ".field-state_and_reason, .field-state", "Processing", deed))
    yield "change of state in the list", spans
    page.goto(f"{SITE}/admin/django_jobs/job/{job.pk}/change/")
    ctx = JobContext(job.pk, job.job_type, "default", 1, 1, "bench:1")

    def say(number: int) -> None:
        ctx.log(f"line {number}.")
        outbox.flush()

    yield (
        "line of the console",
        [
            measured(page, ".dj-console", f"line {number}.", lambda number=number: say(number))
            for number in range(times)
        ],
    )


def main() -> None:
    kind, times = (sys.argv[1:2] or ["asgi"])[0], int((sys.argv[2:3] or ["60"])[0])
    os.environ["DJANGO_SETTINGS_MODULE"] = "example_project.settings"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    django.setup()
    from django.core.management import call_command
    from playwright.sync_api import sync_playwright

    call_command("migrate", verbosity=0)
    with server(kind), sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context()
        context.add_cookies([{"name": "sessionid", "value": session(), "url": SITE}])
        for name, spans in scenes(context.new_page(), times):
            p50, p99 = statistics.median(spans), statistics.quantiles(spans, n=100)[98]
            print(f"{kind}  {name:30} p50 {p50:4.0f} ms   p99 {p99:4.0f} ms   most {max(spans):4.0f} ms")
        browser.close()


if __name__ == "__main__":
    main()
