"""A filter for `demo --check`: it does to a job what the job's argument says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django_jobs import Cancel, Filter, JobContext
from django_jobs.states.elections import Election
from django_jobs.states.filters import Creation


class Doorman(Filter):
    """Refuses, enriches, cancels, replaces and puts off."""

    def creating(self, creation: Creation) -> None:
        if creation.args[0] == "refuse":
            creation.cancel("not on the list")
        creation.tags.append("seen")

    def perform(self, ctx: JobContext, proceed: Callable[[], Any]) -> Any:
        if ctx.args[0] == "cancel":
            raise Cancel("closed")
        return f"<{proceed()}>"

    def elect(self, election: Election) -> None:
        if election.job.args[0] == "put off" and election.state == "processing" and election.run == 1:
            election.replace("scheduled", "Come back", at=timedelta(seconds=0.2))
        if isinstance(election.error, KeyError):
            election.replace("deleted", "Nobody misses it")
