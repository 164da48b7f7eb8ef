"""Shared Django settings: every system gets the same PostgreSQL, the same Redis, DEBUG off, quiet logs."""

import os

DEBUG = False
SECRET_KEY = "bench"
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
VARIANT = os.environ.get("PEERS_VARIANT", "")
REDIS_URL = os.environ.get("PEERS_REDIS", "redis://127.0.0.1:6390/0")
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "127.0.0.1",
        "PORT": 5432,
        "NAME": "peers",
        "USER": "peers",
        "PASSWORD": "peers",
        "CONN_MAX_AGE": int(os.environ.get("PEERS_CONN_MAX_AGE", "600")),
    }
}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "bench"]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"err": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["err"], "level": "WARNING"},
}
