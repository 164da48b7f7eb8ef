from common import record_latency
from django_rq import job


@job
def add(x, y):
    return x + y


@job
def lat(t):
    record_latency(t)
