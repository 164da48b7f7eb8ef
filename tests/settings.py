"""Settings of the test suite. The lane (database, Redis) comes from the environment; see services.py."""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url

from tests import services

SECRET_KEY = "tests"
USE_TZ = True
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"

INSTALLED_APPS = [
    "django_jobs",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_rq",
    "tests.app",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

if services.database_url():
    DATABASES = {"default": dj_database_url.parse(services.database_url())}
else:
    # A file, since child processes of the tests must see it.
    folder = Path(os.environ.get("LANE_FOLDER", "/tmp")) / f"django-jobs-tests-{os.environ.get('LANE_ID', os.getpid())}"
    folder.mkdir(exist_ok=True, parents=True)
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": folder / "db.sqlite3",
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20, "init_command": "PRAGMA journal_mode=WAL;"},
            "TEST": {"NAME": folder / "test.sqlite3"},
        }
    }
if name := os.environ.get("LANE_DATABASE_NAME"):  # a child process of a test uses the test's database
    DATABASES["default"]["NAME"] = name

_redis = {"URL": services.redis_url()}
RQ_QUEUES = {"critical": _redis, "default": _redis, "low-priority": _redis}
RQ = {"QUEUE_CLASS": "django_jobs.queues.JobQueue"}
DJANGO_JOBS: dict[str, object] = {}
