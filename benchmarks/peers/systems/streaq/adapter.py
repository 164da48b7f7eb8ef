import asyncio
import sys

from bench.tasks import add, lat, worker
from common import Adapter, apaced, r


class A(Adapter):
    """No Django; async bodies on 2 processes x 16 coroutines. Record: pickled result in Redis (TTL 5 min)."""

    def enqueue_loop(self, pairs):
        async def go():
            async with worker:
                for x, y in pairs:
                    await add.enqueue(x, y)

        asyncio.run(go())

    def BULK(self, pairs):
        async def go():
            async with worker:
                await worker.enqueue_many([add.enqueue(x, y) for x, y in pairs])

        asyncio.run(go())

    def fill(self, pairs):
        for i in range(0, len(pairs), 5000):
            self.BULK(pairs[i : i + 5000])

    def latency_loop(self, n, rate):
        async def go():
            async with worker:

                async def one(t):
                    await lat.enqueue(t)

                await apaced(n, rate, one)

        asyncio.run(go())

    def done(self, n, cur):
        return r().zcard("streaq:default:index:results")

    def worker_cmds(self):  # what `streaq run` does, without its per-task INFO log
        return [[sys.executable, "-c", "from bench.tasks import worker; worker.run_sync()"]] * 2
