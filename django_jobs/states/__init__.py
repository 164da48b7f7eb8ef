"""The law of states: which moves are legal, and which verbs make them. Machine, buttons and docs read this table."""

from __future__ import annotations

from dataclasses import dataclass

SCHEDULED = "scheduled"
AWAITING = "awaiting"
ENQUEUED = "enqueued"
PROCESSING = "processing"
PAUSED = "paused"
SUCCEEDED = "succeeded"
FAILED = "failed"
DELETED = "deleted"

ALL = (SCHEDULED, AWAITING, ENQUEUED, PROCESSING, PAUSED, SUCCEEDED, FAILED, DELETED)
FINAL = frozenset({SUCCEEDED, DELETED})
"""States that nothing leaves by itself."""
ENDED = FINAL | {FAILED}
"""States in which no run is pending. Failed is an end that waits for a person."""

MOVES: dict[str, frozenset[str]] = {
    SCHEDULED: frozenset({SCHEDULED, ENQUEUED, PAUSED, FAILED, DELETED}),
    AWAITING: frozenset({SCHEDULED, ENQUEUED, PAUSED, FAILED, DELETED}),
    ENQUEUED: frozenset({SCHEDULED, AWAITING, PROCESSING, PAUSED, FAILED, DELETED}),
    PROCESSING: frozenset({SCHEDULED, AWAITING, ENQUEUED, PAUSED, SUCCEEDED, FAILED, DELETED}),
    PAUSED: frozenset({SCHEDULED, AWAITING, ENQUEUED, DELETED}),
    SUCCEEDED: frozenset({SCHEDULED, ENQUEUED, DELETED}),
    FAILED: frozenset({SCHEDULED, ENQUEUED, DELETED}),
    DELETED: frozenset({SCHEDULED, ENQUEUED}),
}


@dataclass(frozen=True)
class Verb:
    """What a person may ask for: the states it starts from, the state it leads to, and the permission it takes."""

    name: str
    sources: frozenset[str]
    target: str
    permission: str


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            "cancel",
            frozenset({SCHEDULED, AWAITING, ENQUEUED, PROCESSING, PAUSED}),
            DELETED,
            "django_jobs.cancel_job",
        ),
        Verb("delete", frozenset(ALL) - {DELETED}, DELETED, "django_jobs.delete_job"),
        Verb(
            "pause",
            frozenset({SCHEDULED, AWAITING, ENQUEUED, PROCESSING}),
            PAUSED,
            "django_jobs.pause_job",
        ),
        Verb("resume", frozenset({PAUSED, PROCESSING}), ENQUEUED, "django_jobs.pause_job"),
        Verb(
            "requeue",
            frozenset({SCHEDULED, AWAITING, SUCCEEDED, FAILED, DELETED}),
            ENQUEUED,
            "django_jobs.requeue_job",
        ),
        Verb(
            "reschedule",
            frozenset({SCHEDULED, AWAITING, ENQUEUED, FAILED, DELETED}),
            SCHEDULED,
            "django_jobs.requeue_job",
        ),
    )
}


def offered(state: str, asked: str) -> list[str]:
    """Names of the verbs that make sense for a job in that state, of which that was asked."""
    names = [name for name, verb in VERBS.items() if state in verb.sources]
    if state == PROCESSING:
        names.remove("pause" if asked == "pause" else "resume")
    return names


def sources_of(target: str) -> frozenset[str]:
    """The states from which a job may move to `target`."""
    return frozenset(state for state, targets in MOVES.items() if target in targets)
