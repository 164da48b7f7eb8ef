"""Every page that the dashboard has, found by asking the admin: a new one is among them by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import NoReverseMatch, reverse

from django_jobs import JobContext, states
from django_jobs.console import outbox
from django_jobs.models import Batch, RecurringJob
from tests.app.jobs import succeeds
from tests.dashboard.conftest import WORKER, failed, in_state, server


def furnish() -> dict[str, Any]:
    """Something to show on each page; by the names of arguments in addresses, what they can be."""
    for state in states.ALL:
        in_state(state)
    batch = Batch.start("bulk", [succeeds.bind("a"), succeeds.bind("b")])
    row = RecurringJob.objects.add_or_update("nightly", "tests.succeeds", cron="0 3 * * *")
    row.trigger()
    host = server("one")
    server("dead", alive=False)
    job = failed(created_by=None)
    job.then(succeeds, "afterwards")
    ctx = JobContext(job.pk, job.job_type, "default", 1, job.run, WORKER)
    ctx.log("It works", color="green")
    ctx.log("It does not", "error")
    ctx.progress_bar("rows", total=200).set(50)
    ctx.metadata["customer"] = "acme"
    outbox.flush()
    objects = {"job": job.pk, "batch": batch.pk, "recurringjob": quote(row.pk), "server": host.pk, "queue": "default"}
    return {**{f"{name}_id": pk for name, pk in objects.items()}, "name": "default", "objects": objects}


def pages(root: Client, furniture: dict[str, Any], site: Any = admin.site) -> dict[str, str]:
    """Names and addresses of all pages that can be opened."""
    return {
        name: address
        for name, address in _addresses(furniture, site)
        if (answer := root.get(address)).status_code == 200 and answer["Content-Type"].startswith("text/html")
    }


def _addresses(furniture: dict[str, Any], site: Any) -> Iterator[tuple[str, str]]:
    for model, model_admin in site._registry.items():
        if model._meta.app_label != "django_jobs":
            continue
        for pattern in model_admin.urls:
            known = {**furniture, "object_id": furniture["objects"].get(model._meta.model_name, furniture["job_id"])}
            arguments = {name: known.get(name) for name in pattern.pattern.converters}
            try:
                yield pattern.name, reverse(f"{site.name}:{pattern.name}", kwargs=arguments, current_app=site.name)
            except NoReverseMatch:
                continue
