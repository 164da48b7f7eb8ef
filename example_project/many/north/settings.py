"""Settings of the application North: its own jobs, and those that both have."""

from example_project.many.base import *
from example_project.many.base import DJANGO_JOBS as COMMON
from example_project.many.base import INSTALLED_APPS as APPS

INSTALLED_APPS = [*APPS, "example_project.many.north", "example_project.many.shared"]
DJANGO_JOBS = {**COMMON, "APPLICATION": "north"}
