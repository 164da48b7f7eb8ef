"""RQ's own jobs in the same queues."""

from __future__ import annotations

import django_rq

from example_project.demo.jobs import ordinary

from . import claim, patience


@claim("an ordinary RQ job", "finished by RQ's code: 42")
def ordinary_job() -> str:
    job = django_rq.get_queue("default").enqueue(ordinary, 6, 7)
    result = job.latest_result(timeout=int(patience()) or 1)
    status = job.get_status(refresh=True).value
    return f"{status} by RQ's code: {result.return_value if result else None}"
