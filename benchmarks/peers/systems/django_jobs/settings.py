from base_settings import *

INSTALLED_APPS += ["django_jobs"]
RQ_QUEUES = {"default": {"HOST": "127.0.0.1", "PORT": 6390, "DB": 0}}
DJANGO_JOBS = {}
