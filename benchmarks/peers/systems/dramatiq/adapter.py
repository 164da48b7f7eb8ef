import sys

from bench.tasks import add, lat
from common import Adapter, r


class A(Adapter):
    """Variants t1, t8 (threads, no record) and record1, record8 (django-dramatiq AdminMiddleware)."""

    def __init__(self, variant):
        super().__init__(variant)
        self.threads = variant[-1]
        if variant.startswith("record"):
            self.TABLE, self.COND, self.TS = "django_dramatiq_task", "status='done'", "updated_at"
            self.POLL, self.MIGRATE = 0.25, True

    def enqueue(self, x, y):
        add.send(x, y)

    def enqueue_lat(self, t):
        lat.send(t)

    def done(self, n, cur):
        if self.TABLE:
            return super().done(n, cur)
        return n - r().hlen("dramatiq:default.msgs")

    def worker_cmds(self):
        return [[sys.executable, "-m", "django", "rundramatiq", "-p", "2", "-t", self.threads]]
