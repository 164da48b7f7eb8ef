import sys

from bench.tasks import add, lat
from common import Adapter, r

CLASSES = {"fork": "rq.worker.Worker", "simple": "rq.worker.SimpleWorker"}


class A(Adapter):
    def enqueue(self, x, y):
        add.enqueue(x, y)

    def enqueue_lat(self, t):
        lat.enqueue(t)

    def done(self, n, cur):
        return r().zcard("rq:finished:default")

    def worker_cmds(self):
        return [
            [
                sys.executable,
                "-m",
                "django",
                "rqworker",
                "default",
                "-v",
                "0",
                "--job-class",
                "django_tasks_rq.Job",
                "--worker-class",
                CLASSES[self.variant],
            ]
        ] * 2
