import os

from common import record_latency
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

URL = os.environ.get("PEERS_REDIS", "redis://127.0.0.1:6390/0")
broker = ListQueueBroker(URL).with_result_backend(RedisAsyncResultBackend(URL))


@broker.task
async def add(x, y):
    return x + y


@broker.task
async def lat(t):
    record_latency(t)
