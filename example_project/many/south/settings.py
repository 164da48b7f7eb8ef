"""Settings of the application South: its own jobs, and those that both have."""

from example_project.many.base import *
from example_project.many.base import DJANGO_JOBS as COMMON
from example_project.many.base import INSTALLED_APPS as APPS

INSTALLED_APPS = [*APPS, "example_project.many.south", "example_project.many.shared"]
DJANGO_JOBS = {**COMMON, "APPLICATION": "south"}
