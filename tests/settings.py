"""Settings of the test suite. The lane (database, Redis) comes from the environment; see services.py."""

from __future__ import annotations

from tests import services

SECRET_KEY = "tests"
USE_TZ = True
DEBUG = False
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
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
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
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

DATABASES = services.databases()

_redis = {"URL": services.redis_url()}
RQ_QUEUES = {"critical": _redis, "default": _redis, "low-priority": _redis}
RQ = {"QUEUE_CLASS": "django_jobs.queues.JobQueue"}
# Whatever plug-ins are installed beside the suite, those of the example by `make demo` say, they are not of this site.
DJANGO_JOBS: dict[str, object] = {"RETRY": None, "PLUGINS": []}
TASKS = {"default": {"BACKEND": "django_jobs.tasks_backend.JobsBackend"}}
