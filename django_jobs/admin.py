"""Registers the dashboard on the default admin site; sites may unregister and subclass."""

from django.contrib import admin

from .dashboard.batches import BatchAdmin
from .dashboard.failures import FailureAdmin
from .dashboard.jobs import JobAdmin
from .dashboard.overview import OverviewAdmin
from .dashboard.queues import QueueAdmin
from .dashboard.recurring import RecurringJobAdmin
from .dashboard.retries import RetryAdmin
from .dashboard.servers import ServerAdmin
from .models import Batch, Failure, Job, Overview, Queue, RecurringJob, Server, WaitingRetry

admin.site.register(Batch, BatchAdmin)
admin.site.register(Failure, FailureAdmin)
admin.site.register(Job, JobAdmin)
admin.site.register(Overview, OverviewAdmin)
admin.site.register(Queue, QueueAdmin)
admin.site.register(RecurringJob, RecurringJobAdmin)
admin.site.register(Server, ServerAdmin)
admin.site.register(WaitingRetry, RetryAdmin)
