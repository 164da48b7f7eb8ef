"""Settings of the example. Everything that differs between machines comes from the environment."""

from __future__ import annotations

import os
from pathlib import Path

from example_project import services


def listed(name: str, default: str) -> list[str]:
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


HOST = os.environ.get("WEB_HOST", "127.0.0.1")
ANYWHERE = HOST in {"0.0.0.0", "::"}

SECRET_KEY = os.environ.get("SECRET_KEY", "not a secret: this is a demo")
DEBUG = os.environ.get("DEBUG", "").lower() in {"1", "true", "yes", "on"}
ALLOWED_HOSTS = listed("ALLOWED_HOSTS", "*" if ANYWHERE else f"{HOST},127.0.0.1,localhost,[::1]")
CSRF_TRUSTED_ORIGINS = listed("CSRF_TRUSTED_ORIGINS", "")

INSTALLED_APPS = [
    "django_jobs",
    "example_project.demo",
    "example_project.dhanman",
    "example_project.manager",
    "example_project.shop",
    "example_project.web",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_rq",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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
ROOT_URLCONF = "example_project.urls"
ASGI_APPLICATION = "example_project.asgi.application"
WSGI_APPLICATION = "example_project.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
USE_TZ = True
TIME_ZONE = os.environ.get("TIME_ZONE", "UTC")

DATABASES = {"default": services.database()}

_redis = {"URL": services.redis_url()}
RQ_QUEUES = {"critical": _redis, "default": _redis, "low-priority": _redis}
RQ = {"QUEUE_CLASS": "django_jobs.queues.JobQueue"}

# Addresses of brokers and the like are set once here, and handed to every plug-in.
KAFKA = {
    "bootstrapServers": os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
    "schemaRegistry": os.environ.get("KAFKA_SCHEMA_REGISTRY", "localhost:8081"),
}
DJANGO_JOBS: dict[str, object] = {
    # Two of four looks begin at the critical queue; no queue starves.
    "QUEUES": ["critical:2", "default:1", "low-priority:1"],
    "BROKER": {"url": "amqp://guest:guest@127.0.0.1:5672//", "queue": "dhanman.jobs", "exchange": "dhanman.events"},
    "COMMANDS": ["clearsessions"],
    "PLUGIN_PATHS": [Path(__file__).parent / "plugin_folder"],
    "PLUGIN_CONFIG": {"archive": {"days": 7}},
    "SHARED_CONFIG": {"kafka": KAFKA, "mail": {"sender": "jobs@example.com"}, "files": str(services.FOLDER)},
}

TASKS = {"default": {"BACKEND": "django_jobs.tasks_backend.JobsBackend"}}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": "6000/min"},
}

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = services.MAIL
