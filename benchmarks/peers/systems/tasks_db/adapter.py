import sys

from bench.tasks import add, lat
from common import Adapter


class A(Adapter):
    """2 x db_worker; variant = poll interval in seconds ('' = default 1 s)."""

    COND, TS, POLL, MIGRATE = "status='SUCCESSFUL'", "finished_at", 0.25, True

    def setup(self):
        from django_tasks_db.models import DBTaskResult

        self.TABLE = DBTaskResult._meta.db_table

    TABLE = "-"

    def enqueue(self, x, y):
        add.enqueue(x, y)

    def enqueue_lat(self, t):
        lat.enqueue(t)

    def worker_cmds(self):
        extra = ["--interval", self.variant] if self.variant else []
        return [[sys.executable, "-m", "django", "db_worker", "-v", "0", "--no-startup-delay", *extra]] * 2
