import os

from common import record_latency

from django_jobs import job

ACK = os.environ.get("PEERS_VARIANT") or "batch"


@job("bench.add", ack=ACK)
def add(x, y):
    return x + y


@job("bench.lat", ack=ACK)
def lat(t):
    record_latency(t)
