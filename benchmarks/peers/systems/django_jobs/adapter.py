import sys

from bench.tasks import add, lat
from common import Adapter


class A(Adapter):
    """One runjobs with 2 workers and its scheduler; variant "each" acknowledges every job by itself."""

    TABLE, COND, TS, POLL, MIGRATE = "django_jobs_job", "state = 'succeeded'", "finished_at", 0.25, True
    TRUNCATE = ("django_jobs_jobstate", "django_jobs_counter")

    def enqueue(self, x, y):
        add.enqueue(x, y)

    def enqueue_lat(self, t):
        lat.enqueue(t)

    def BULK(self, pairs):
        add.enqueue_many(pairs)

    def worker_cmds(self):
        return [[sys.executable, "-m", "django", "runjobs", "--processes", "2", "--log-level", "WARNING"]]
