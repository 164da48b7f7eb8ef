from base_settings import *

CELERY_BROKER_URL = REDIS_URL
if VARIANT.startswith("record"):
    INSTALLED_APPS += ["django_celery_results"]
    CELERY_RESULT_BACKEND = "django-db"
    CELERY_TASK_TRACK_STARTED = True
    CELERY_RESULT_EXTENDED = True  # task name and args in the row, as the others record
else:
    CELERY_TASK_IGNORE_RESULT = True
