import sys

from bench.tasks import add, lat
from common import Adapter, r


class A(Adapter):
    def __init__(self, variant):
        super().__init__(variant)
        if variant.startswith("record"):
            self.TABLE, self.COND, self.TS = "django_celery_results_taskresult", "status='SUCCESS'", "date_done"
            self.POLL, self.MIGRATE = 0.25, True

    def enqueue(self, x, y):
        add.delay(x, y)

    def enqueue_lat(self, t):
        lat.delay(t)

    def done(self, n, cur):
        if self.TABLE:
            return super().done(n, cur)
        return n - r().llen("celery") - r().hlen("unacked")  # 2 commands per look

    def worker_cmds(self):
        return [[sys.executable, "-m", "celery", "-A", "bench.celeryapp", "worker", "-c", "2", "-l", "WARNING"]]
