"""Functions of a site that uses plain RQ beside django_jobs."""

from __future__ import annotations


def doubles(x: int) -> int:
    return 2 * x


def breaks() -> None:
    raise RuntimeError("an ordinary failure")
