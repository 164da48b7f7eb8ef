import os

from common import record_latency
from streaq import Worker

worker = Worker(
    redis_url=os.environ.get("PEERS_REDIS", "redis://127.0.0.1:6390/0")
)  # concurrency 16, result TTL 5 min: defaults


@worker.task
async def add(x, y):
    return x + y


@worker.task
async def lat(t):
    record_latency(t)
