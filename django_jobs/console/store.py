"""What runs said, as rows: few statements for many runs. Each can be made again, if nobody knows of its commit."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connections
from django.db.models import OuterRef, Subquery

from .. import clock, events
from ..conf import settings
from ..models import ConsoleLine, Job, Metadata, Progress
from .bars import ProgressBar
from .record import Console

ROWS = 500
"""Most lines of one statement."""


def write(consoles: Sequence[Console]) -> None:
    """Write what the runs have to say. Who is no more the job's newest run, or whose job is gone, is not heard."""
    last = _last_numbers(consoles)
    heard = []
    for console in consoles:
        number = last.get((console.job_id, console.run))
        if number is None:
            console.forget()
            continue
        console.offset = number if console.offset is None else console.offset
        heard.append(console)
    _write_lines(heard)
    _write_bars(heard)
    _write_metadata(heard)
    if heard:
        events.publish("console", ids=sorted({console.job_id for console in heard}))


def _last_numbers(consoles: Sequence[Console]) -> dict[tuple[int, int], int]:
    """By job and its newest run: the number of its last line, 0 when there is none."""
    lines = ConsoleLine.objects.using(settings.DATABASE).filter(job=OuterRef("pk")).order_by("-number")
    jobs = Job.objects.using(settings.DATABASE).filter(pk__in={console.job_id for console in consoles})
    rows = jobs.annotate(last=Subquery(lines.values("number")[:1])).values_list("pk", "run", "last")
    return {(pk, run): last or 0 for pk, run, last in rows}


def _write_lines(consoles: Sequence[Console]) -> None:
    """Numbers go on from the job's earlier runs. A line that an earlier try has stored already is left as it is."""
    taken = {console: lines for console in consoles if (lines := console.waiting())}
    rows = [
        ConsoleLine(
            job_id=console.job_id,
            run=console.run,
            number=line.number + (console.offset or 0),
            at=line.at,
            level=line.level,
            color=line.color,
            text=line.text,
        )
        for console, lines in taken.items()
        for line in lines
    ]
    ConsoleLine.objects.using(settings.DATABASE).bulk_create(rows, batch_size=ROWS, ignore_conflicts=True)
    for console, lines in taken.items():
        console.wrote(lines[-1].number)
        _keep_newest(console, lines[-1].number + (console.offset or 0))


def _keep_newest(console: Console, last: int) -> None:
    if last > settings.CONSOLE_LIMIT:
        lines = ConsoleLine.objects.using(settings.DATABASE).filter(job_id=console.job_id)
        lines.filter(number__lte=last - settings.CONSOLE_LIMIT)._raw_delete(settings.DATABASE)


def _write_bars(consoles: Sequence[Console]) -> None:
    now = clock.now()
    changed = [(console, bar) for console in consoles for bar in list(console.bars.values()) if bar.unwritten]
    rows = [_row(console, bar) for console, bar in changed]
    for row in rows:
        row.at = now
    target = connections[settings.DATABASE].features.supports_update_conflicts_with_target
    try:
        Progress.objects.using(settings.DATABASE).bulk_create(
            rows,
            update_conflicts=True,
            update_fields=["value", "total", "at"],
            unique_fields=["job", "run", "name"] if target else None,
        )
    except BaseException:
        for _, bar in changed:
            bar.unwritten = True
        raise


def _row(console: Console, bar: ProgressBar) -> Progress:
    bar.unwritten = False  # before it is read: what comes later is written later
    return Progress(job_id=console.job_id, run=console.run, name=bar.name, value=bar.value, total=bar.total)


def _write_metadata(consoles: Sequence[Console]) -> None:
    """Fenced by the run: a run that was taken for dead does not overwrite what a newer one wrote."""
    for console in consoles:
        if (metadata := console.unwritten_metadata) is None:
            continue
        metadata.unwritten = False
        try:
            _become(console, metadata.values_now())
        except BaseException:
            metadata.unwritten = True
            raise


def _become(console: Console, data: dict[str, object]) -> None:
    rows = Metadata.objects.using(settings.DATABASE)
    ours = rows.filter(pk=console.job_id, run__lte=console.run)
    if not ours.update(data=data, run=console.run):
        rows.bulk_create([Metadata(job_id=console.job_id, run=console.run, data=data)], ignore_conflicts=True)
