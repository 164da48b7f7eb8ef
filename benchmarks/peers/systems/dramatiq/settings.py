from base_settings import *

INSTALLED_APPS = ["django_dramatiq", *INSTALLED_APPS]
DRAMATIQ_BROKER = {
    "BROKER": "dramatiq.brokers.redis.RedisBroker",
    "OPTIONS": {"url": REDIS_URL},
    "MIDDLEWARE": [
        "dramatiq.middleware.AgeLimit",
        "dramatiq.middleware.TimeLimit",
        "dramatiq.middleware.Callbacks",
        "dramatiq.middleware.Retries",
        *(["django_dramatiq.middleware.AdminMiddleware"] if VARIANT.startswith("record") else []),
        "django_dramatiq.middleware.DbConnectionsMiddleware",
    ],
}
