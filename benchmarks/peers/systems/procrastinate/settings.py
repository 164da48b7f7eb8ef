from base_settings import *

INSTALLED_APPS += ["procrastinate.contrib.django"]
