from base_settings import *

INSTALLED_APPS += ["django_ox"]
TASKS = {"default": {"BACKEND": "django_ox.backend.OxBackend"}}
