import sys

from bench.tasks import add, lat
from common import Adapter


class A(Adapter):
    """2 processes, concurrency 1 (c1, the default) or 8 (c8) each; LISTEN/NOTIFY on; finished jobs kept."""

    TABLE, COND, POLL, MIGRATE = "procrastinate_jobs", "status='succeeded'", 0.25, True
    TRUNCATE = ("procrastinate_events", "procrastinate_workers")

    def enqueue(self, x, y):
        add.defer(x=x, y=y)

    def enqueue_lat(self, t):
        lat.defer(t=t)

    def BULK(self, pairs):
        add.batch_defer(*[{"x": x, "y": y} for x, y in pairs])

    def recorded_span(self, cur):
        return float(
            cur.execute(
                "SELECT extract(epoch FROM max(at)-min(at)) FROM procrastinate_events WHERE type='succeeded'"
            ).fetchone()[0]
        )

    def worker_cmds(self):
        return [[sys.executable, "-m", "django", "procrastinate", "worker", "-c", self.variant[1:]]] * 2
