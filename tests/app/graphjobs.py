"""Sample jobs that know of others."""

from __future__ import annotations

from django_jobs import Batch, JobContext, job


@job("tests.is_a_part")
def is_a_part(number: int) -> int:
    return number


@job("tests.tells_of_parents", takes_context=True)
def tells_of_parents(ctx: JobContext) -> list[object]:
    return ctx.parent_results


@job("tests.grows_its_batch")
def grows_its_batch(number: int) -> None:
    batch = Batch.current()
    assert batch is not None
    batch.add([is_a_part.bind(n) for n in range(number)])
