import dramatiq
from common import record_latency


@dramatiq.actor
def add(x, y):
    x + y  # not returned: without the Results middleware Dramatiq logs a line for every job that returns a value


@dramatiq.actor
def lat(t):
    record_latency(t)
