from common import record_latency
from procrastinate.contrib.django import app


@app.task
def add(x, y):
    return x + y


@app.task
def lat(t):
    record_latency(t)
