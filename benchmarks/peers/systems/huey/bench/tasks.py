from common import record_latency
from huey.contrib.djhuey import task


@task()
def add(x, y):
    return x + y


@task()
def lat(t):
    record_latency(t)
