from base_settings import *

INSTALLED_APPS += ["django_tasks", "django_tasks_rq", "django_rq"]
RQ_QUEUES = {"default": {"URL": REDIS_URL}}
TASKS = {"default": {"BACKEND": "django_tasks_rq.RQBackend", "QUEUES": ["default"]}}
