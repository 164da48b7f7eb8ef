from base_settings import *

INSTALLED_APPS += ["huey.contrib.djhuey"]
HUEY = {
    "huey_class": "huey.RedisHuey",
    "name": "peers",
    "immediate": False,
    "connection": {"host": "127.0.0.1", "port": 6390},
    "consumer": {"workers": 2, "worker_type": "process"},
}
