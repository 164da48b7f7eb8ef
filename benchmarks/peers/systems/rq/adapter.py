import sys

import django_rq
from bench.tasks import add, lat
from common import Adapter, r
from rq import Queue

CLASSES = {"fork": "rq.worker.Worker", "simple": "rq.worker.SimpleWorker"}


class A(Adapter):
    """Record: RQ's job hash + result stream + FinishedJobRegistry in Redis (TTL 500 s)."""

    def enqueue(self, x, y):
        add.delay(x, y)

    def enqueue_lat(self, t):
        lat.delay(t)

    def BULK(self, pairs):
        django_rq.get_queue("default").enqueue_many([Queue.prepare_data(add, (x, y)) for x, y in pairs])

    def done(self, n, cur):
        return r().zcard("rq:finished:default")

    def worker_cmds(self):
        return [
            [sys.executable, "-m", "django", "rqworker", "default", "-v", "0", "--worker-class", CLASSES[self.variant]]
        ] * 2
