import sys

from bench.tasks import add, lat
from common import Adapter, r


class A(Adapter):
    """Record: the return value in a Redis hash (no states)."""

    def enqueue(self, x, y):
        add(x, y)

    def enqueue_lat(self, t):
        lat(t)

    def done(self, n, cur):
        return r().hlen("huey.results.peers")

    def worker_cmds(self):
        return [[sys.executable, "-m", "django", "run_huey", "--quiet"]]
