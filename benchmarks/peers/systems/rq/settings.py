from base_settings import *

INSTALLED_APPS += ["django_rq"]
RQ_QUEUES = {"default": {"URL": REDIS_URL}}
