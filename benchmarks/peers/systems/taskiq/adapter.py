import asyncio

from bench.tasks import add, broker, lat
from common import Adapter, apaced, r


class A(Adapter):
    """No Django; async bodies, 2 worker processes, list queue (no acknowledgement). Record: result key in Redis."""

    def run(self, co):
        async def go():
            await broker.startup()
            await co()
            await broker.shutdown()

        asyncio.run(go())

    def enqueue_loop(self, pairs):
        async def co():
            for x, y in pairs:
                await add.kiq(x, y)

        self.run(co)

    def latency_loop(self, n, rate):
        async def co():
            async def one(t):
                await lat.kiq(t)

            await apaced(n, rate, one)

        self.run(co)

    def done(self, n, cur):
        return r().dbsize() - r().exists("taskiq")

    def worker_cmds(self):
        return [["taskiq", "worker", "bench.tasks:broker", "-w", "2", "--log-level", "WARNING"]]
