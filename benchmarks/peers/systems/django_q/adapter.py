import sys

from common import Adapter
from django_q.tasks import async_task


class A(Adapter):
    TABLE, COND, TS, POLL, MIGRATE = "django_q_task", "success", "stopped", 0.25, True
    TRUNCATE = ("django_q_ormq",)

    def enqueue(self, x, y):
        async_task("bench.tasks.add", x, y)

    def enqueue_lat(self, t):
        async_task("bench.tasks.lat", t)

    def worker_cmds(self):
        return [[sys.executable, "-m", "django", "qcluster"]]
