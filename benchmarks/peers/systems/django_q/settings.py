from base_settings import *

INSTALLED_APPS += ["django_q"]
Q_CLUSTER = {
    "name": "peers",
    "workers": 2,
    "timeout": 60,
    "retry": 120,
    "log_level": "WARNING",
    "save_limit": 0,
}  # 0: keep every success (the durable record), no pruning
if VARIANT == "orm":
    Q_CLUSTER["orm"] = "default"  # poll 0.2 s, bulk 1: defaults
else:
    Q_CLUSTER["redis"] = {"host": "127.0.0.1", "port": 6390, "db": 0}
