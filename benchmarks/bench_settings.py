"""Settings of the benchmarks: the database of BENCH_DATABASE_URL and the Redis of BENCH_REDIS_URL."""

from __future__ import annotations

import os

import dj_database_url

SECRET_KEY = "bench"
USE_TZ = True
INSTALLED_APPS = [
    "django_jobs",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "benchmarks.bench_app",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
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
ROOT_URLCONF = "benchmarks.bench_app.urls"
ALLOWED_HOSTS = ["testserver"]
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": dj_database_url.parse(os.environ["BENCH_DATABASE_URL"], conn_max_age=600)}
RQ_QUEUES = {"default": {"URL": os.environ["BENCH_REDIS_URL"]}}
DJANGO_JOBS: dict[str, object] = {}
