"""A walk through every page and button of the dashboard as each role, in a real browser under a strict policy.

``WALK_SCREENSHOTS=folder`` keeps a picture of each kind of page: light and dark, 1280 and 360 pixels wide.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import Q
from playwright.sync_api import Page

from django_jobs import Batch, JobContext, clock, groups, states
from django_jobs.console import outbox
from django_jobs.models import Job, RecurringJob, Server
from tests.access.conftest import user_of
from tests.access.doors import DASHBOARD, Door
from tests.app.jobs import adds, succeeds
from tests.dashboard.conftest import WORKER, claim, finish, fresh, in_state, retrying, server
from tests.dashboard.test_browser import complaints, site, strict  # noqa: F401
from tests.dashboard.walking import Walk, kind_of

pytestmark = [pytest.mark.browser, pytest.mark.once, pytest.mark.django_db(transaction=True)]
UNLINKED = ("/live/", "/preview/", "/events/", "/expected/")
"""What scripts ask for."""


def seed() -> None:
    """A site with something of everything: a job in each state, relatives, consoles, servers, schedules."""
    for state in [*states.ALL, states.PROCESSING]:
        in_state(state)
    talker = fresh(Job.objects.filter(state=states.PROCESSING).earliest("pk"))
    ctx = JobContext(talker.pk, talker.job_type, "default", 1, talker.run, WORKER)
    ctx.log("Reading <customers>")
    ctx.progress_bar("rows", total=200).set(50)
    ctx.metadata["customer"] = "acme"
    outbox.flush()
    other = adds.using(queue="critical").enqueue(1, "x")
    claim(other)
    told = {"exception": "TypeError", "message": "no number", "place": "shop/jobs.py:9"}
    finish(other, state=states.FAILED, data=told, reason="TypeError: no number")
    for _ in range(3):
        retrying()
    batch = Batch.start("Invoices of May", [adds.bind(1, 1).then(succeeds), adds.bind(2, 2)])
    batch.then(succeeds)
    nightly = RecurringJob.objects.add_or_update("nightly", "tests.succeeds", cron="0 2 * * *", description="At night")
    nightly.trigger()
    RecurringJob.objects.add_or_update("resting", "tests.succeeds", cron="0 3 * * *", enabled=False)
    living = server("web1")
    server("web2", alive=False)
    Server.objects.filter(Q(pk=living.pk) | Q(parent=living.pk)).update(heartbeat_at=clock.now() + timedelta(hours=1))


def sign_in(page: Page, site: str, role: str) -> None:  # noqa: F811
    user = user_of(role)
    assert user is not None
    user.set_password("open sesame")
    user.save()
    page.goto(f"{site}/admin/login/?next=/admin/django_jobs/")
    page.fill("#id_username", role)
    page.fill("#id_password", "open sesame")
    page.press("#id_password", "Enter")
    page.wait_for_url("**/admin/django_jobs/")


def pages_for(role: str) -> set[str]:
    """The kinds of pages that this role must find by links."""
    user = user_of(role)
    doors = [door for door in DASHBOARD if door.method == "get" and door.opens_to(user) and door.needs]
    return {kind(door) for door in doors if not any(part in door.path for part in UNLINKED)}


def kind(door: Door) -> str:
    return kind_of(re.sub(r"\{\w+\}", "1", door.path.partition("?")[0]))


def deeds_for(role: str) -> set[str]:
    """The kinds of addresses that this role's buttons must post to, and the actions of lists."""
    user = user_of(role)
    doors = [door for door in DASHBOARD if door.acts and door.opens_to(user)]
    return {f"{kind(door)} {door.body['action']}" if door.silent else kind(door) for door in doors}


@pytest.mark.parametrize("role", ["viewer", "operator", "administrator"])
def test_each_role_walks_through_every_page_and_presses_every_button(
    page: Page,
    site: str,  # noqa: F811
    complaints: list[str],  # noqa: F811
    role: str,
) -> None:
    groups.restore()
    seed()
    sign_in(page, site, role)
    walk = Walk(page, site, role)
    walk.look_everywhere()
    assert pages_for(role) - set(walk.pages) == set()
    walk.press_everything()
    pressed = {
        " ".join(part for part in does.split() if not part.startswith(("_", "confirmed"))) for does in walk.pressed
    }
    assert deeds_for(role) - pressed == set()
    assert pressed - deeds_for(role) - set(walk.pages) == set()
    assert walk.wrong == []
    assert LogEntry.objects.exists() is (role != "viewer")
