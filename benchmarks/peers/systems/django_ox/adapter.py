import sys

from bench.tasks import add, lat
from common import Adapter


class A(Adapter):
    """One ox_worker with 2 processes; variant = poll interval in seconds ("" = its default, 1 s)."""

    TABLE, COND, TS, POLL, MIGRATE = "django_ox_oxtask", "status = 'SUCCESSFUL'", "finished_at", 0.25, True

    def enqueue(self, x, y):
        add.enqueue(x, y)

    def enqueue_lat(self, t):
        lat.enqueue(t)

    def BULK(self, pairs):
        from django_ox.bulk import enqueue_many

        enqueue_many(add, [((x, y), {}) for x, y in pairs])

    def worker_cmds(self):
        interval = ["--interval", self.variant] if self.variant else []
        return [[sys.executable, "-m", "django", "ox_worker", "-v", "0", "--processes", "2", *interval]]
