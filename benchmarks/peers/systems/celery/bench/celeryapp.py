from celery import Celery

app = Celery("bench", include=["bench.tasks"])
app.config_from_object("django.conf:settings", namespace="CELERY")
from django.conf import settings

if (
    settings.VARIANT == "record_reuse"
):  # Celery's Django fixup closes the DB connection after every task unless told not to
    app.conf["CELERY_DB_REUSE_MAX"] = 1000
