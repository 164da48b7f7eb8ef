from celery import shared_task
from common import record_latency


@shared_task
def add(x, y):
    return x + y


@shared_task
def lat(t):
    record_latency(t)
