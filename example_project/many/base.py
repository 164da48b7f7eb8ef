"""What both applications have in common. Alone, these are the settings of a dashboard that knows no job's code."""

import os
from datetime import timedelta

from example_project.settings import *
from example_project.settings import INSTALLED_APPS as EVERY

OF_JOBS = {"demo", "dhanman", "manager", "shop"}
INSTALLED_APPS = [app for app in EVERY if app.removeprefix("example_project.") not in OF_JOBS]
ROOT_URLCONF = "example_project.orchestrator.urls"

KEPT = timedelta(seconds=float(os.environ.get("KEEP_SECONDS", "86400")))
DJANGO_JOBS = {
    "APPLICATION": "dashboard",
    "PLUGINS": [],
    "RETENTION": {"succeeded": KEPT, "deleted": KEPT},
}
