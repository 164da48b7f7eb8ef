"""Settings of the chaos run: the database of CHAOS_DATABASE_URL and the Redis of CHAOS_REDIS_URL."""

from __future__ import annotations

import os

import dj_database_url

SECRET_KEY = "chaos"
USE_TZ = True
INSTALLED_APPS = ["django_jobs", "django.contrib.auth", "django.contrib.contenttypes", "benchmarks.chaos_app"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

_database = dj_database_url.parse(os.environ["CHAOS_DATABASE_URL"])
if _database["ENGINE"].endswith("sqlite3"):
    _database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"}
DATABASES = {"default": _database}
RQ_QUEUES = {name: {"URL": os.environ["CHAOS_REDIS_URL"]} for name in ("critical", "default")}
DJANGO_JOBS = {
    "RETRY": None,
    "SERVER_TIMEOUT": 5,
    "HEARTBEAT_INTERVAL": 1,
    "SWEEP_INTERVAL": 2,
    "LEADER_TIMEOUT": 4,
    "CLEANUP_INTERVAL": 5,
    "COUNTER_INTERVAL": 5,
    "RETENTION": {"succeeded": None, "failed": None, "deleted": None},
}
LOGGING = {"version": 1, "disable_existing_loggers": False}
