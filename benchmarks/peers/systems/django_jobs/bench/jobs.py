from bench.tasks import *
