"""Jobs that wait for others, and batches."""

from __future__ import annotations

from datetime import timedelta

from django_jobs import Batch, client
from django_jobs.exceptions import InvalidJob
from example_project.demo.jobs import adds, counts_parents, echoes, fails, gives_up, grows

from . import claim, ended, patience, told


@claim("a chain of three", "succeeded: 3; awaiting, enqueued, processing, succeeded")
def chain() -> str:
    last = echoes.enqueue(1).then(echoes, 2).then(echoes, 3)
    return f"{told(last)}; {', '.join(entry.name for entry in ended(last).history())}"


@claim("after two, with their results", "succeeded: [3, 7]")
def graph() -> str:
    return told(counts_parents.using(after=[adds.enqueue(1, 2), adds.enqueue(3, 4)]).enqueue())


@claim("by condition", "success: succeeded, deleted; deletion: deleted, succeeded; either: succeeded, succeeded")
def conditions() -> str:
    good, gone = echoes.enqueue(), gives_up.enqueue()
    words = {"success": "succeeded", "deletion": "deleted", "either": "any"}
    pairs = {word: [parent.then(echoes, on=on) for parent in (good, gone)] for word, on in words.items()}
    return "; ".join(f"{word}: {', '.join(ended(job).state for job in pair)}" for word, pair in pairs.items())


@claim("after one that failed", "Job failed; this one waits for it; then succeeded: 1")
def after_a_failure() -> str:
    parent = fails.enqueue("broken")
    child = parent.then(echoes, 1, on="any")
    ended(parent)
    child.refresh_from_db()
    said = child.state_reason.replace(f" #{parent.pk}", "")
    client.delete([parent.pk])
    return f"{said}; then {told(child)}"


@claim("delayed from the release", "succeeded: not before its parent's end and 0.5 s")
def delayed() -> str:
    parent = echoes.enqueue()
    child = ended(parent.then(echoes.using(run_after=timedelta(seconds=0.5))))
    start, end = child.started_at, ended(parent).finished_at
    late = start is not None and end is not None and start - end >= timedelta(seconds=0.5)
    return f"{child.state}: {'not before its parent' if late else 'before its parent'}'s end and 0.5 s"


@claim("a batch of 200", "succeeded: 200 of 200 done, then 1 summary")
def batch() -> str:
    batch = Batch.start("200 at once", [echoes.bind(n) for n in range(200)])
    summary = batch.then(echoes, "1 summary")
    batch = batch.wait(patience())
    return f"{batch.state}: {batch.progress.done} of {batch.progress.total} done, then {ended(summary).result}"


@claim("a batch that grows and has parts", "succeeded: 9 of 9 done")
def nested() -> str:
    part = Batch.bind("a part", [echoes.bind(1).then(echoes, 2), echoes.bind(3)])
    batch = Batch.start("grows", [grows.bind(4), part, echoes.bind(4)]).wait(patience())
    return f"{batch.state}: {batch.progress.done} of {batch.progress.total} done"


@claim("a batch that is cancelled", "cancelled, finished: 50 deleted")
def cancelled() -> str:
    batch = Batch.start("never", [echoes.using(run_after=timedelta(hours=1)).bind(n) for n in range(50)])
    answer = "cancelled" if batch.cancel() else "not cancelled"
    batch = batch.wait(patience())
    return f"{answer}, {batch.state}: {batch.progress.deleted} deleted"


@claim("a batch that would wait for itself", "InvalidJob for after")
def circle() -> str:
    batch = Batch.start("circle", [echoes.using(run_after=timedelta(hours=1)).bind(1)])
    follower = batch.then(echoes, 2)
    try:
        batch.add([echoes.using(after=[follower]).bind(3)])
    except InvalidJob as error:
        return f"InvalidJob for {error.field}"
    finally:
        batch.cancel()
    return "stored"
