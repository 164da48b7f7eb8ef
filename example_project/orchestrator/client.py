"""Settings of the client: API and dashboard. It knows job types only by what live servers publish."""

from example_project.settings import *
from example_project.settings import INSTALLED_APPS as EVERY

OF_JOBS = {"demo", "dhanman", "manager", "orchestrator", "shop"}
INSTALLED_APPS = [app for app in EVERY if app.removeprefix("example_project.") not in OF_JOBS]
ROOT_URLCONF = "example_project.orchestrator.urls"
DJANGO_JOBS = {"APPLICATION": "orchestrator", "PLUGINS": []}
