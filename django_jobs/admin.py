"""Registers the dashboard on the default admin site; sites may unregister and subclass."""

from django.contrib import admin

from .dashboard.jobs import JobAdmin
from .dashboard.servers import ServerAdmin
from .models import Job, Server

admin.site.register(Job, JobAdmin)
admin.site.register(Server, ServerAdmin)
