"""For RQ's own pages: a queue class that reads bells from SQL and removes none."""

from __future__ import annotations

from django_rq.queues import DjangoRQ
from rq import Queue as RQQueue
from rq.job import Job as RQJob
from rq.job import JobStatus

from ..models import Job
from .bells import PREFIX, is_bell, split


class BellJob(RQJob):
    """What RQ's pages see of a bell: the job's row, in the shape of an RQ job. Nothing of it is in Redis."""

    @classmethod
    def of(cls, row: Job, queue: RQQueue) -> BellJob:
        shown = cls(connection=queue.connection, serializer=queue.serializer)
        shown._id = f"{PREFIX}{row.pk}"  # RQ refuses the colon in a new id; its pages only show it
        shown.origin = queue.name
        shown.created_at = row.created_at
        shown.enqueued_at = row.state_at
        shown.description = row.call
        shown._func_name = row.job_type
        shown._instance, shown._args, shown._kwargs = None, tuple(row.args), row.kwargs
        shown._status = JobStatus.QUEUED
        return shown

    def get_status(self, refresh: bool = True) -> JobStatus:
        return JobStatus.QUEUED


class JobQueue(DjangoRQ):
    """For ``RQ = {"QUEUE_CLASS": "django_jobs.queues.JobQueue"}``: RQ's pages read bells from SQL and remove none.

    RQ's own class drops every entry without a Redis hash from the queue as soon as a page lists it.
    """

    def fetch_job(self, job_id: str) -> RQJob | None:
        ours = split([job_id])[0]
        return self._bells(ours).get(job_id) if ours else super().fetch_job(job_id)

    def get_jobs(self, offset: int = 0, length: int = -1) -> list[RQJob]:
        entries = self.get_job_ids(offset, length)
        bells = self._bells(split(entries)[0])
        found = [bells.get(entry) if is_bell(entry) else super(JobQueue, self).fetch_job(entry) for entry in entries]
        return [job for job in found if job is not None]

    def compact(self) -> None:
        """Bells stay: RQ's own compaction would drop them. Dead entries of RQ are removed one by one."""
        for entry in split(self.get_job_ids())[1]:
            if not self.job_class.exists(entry, self.connection):
                self.remove(entry)

    def _bells(self, ids: list[int]) -> dict[str, RQJob]:
        rows = Job.objects.in_bulk(ids) if ids else {}
        return {f"{PREFIX}{pk}": BellJob.of(row, self) for pk, row in rows.items()}
