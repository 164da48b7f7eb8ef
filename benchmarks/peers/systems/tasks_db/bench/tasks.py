from common import record_latency
from django_tasks import task


@task()
def add(x, y):
    return x + y


@task()
def lat(t):
    record_latency(t)
