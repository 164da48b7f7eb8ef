"""Job types of our own. Like any app's ``jobs`` module this one is imported wherever jobs run."""

from __future__ import annotations

from datetime import timedelta

from .alerts import telling
from .backoff import Retry
from .conf import settings
from .decorators import job
from .models import Alert

TRIES = Retry(attempts=8, delays=[5, 15, 60, 300, 900, 1800, 3600, 7200])


@job(telling.MAIL, retry=TRIES, timeout=60, retention=timedelta(days=1))
def mail_alert(alert_id: int, over: bool) -> None:
    """Mail an alert to the addresses of ``ALERTS``."""
    telling.mail(_alert(alert_id), over=over)


@job(telling.POST, retry=TRIES, timeout=60, retention=timedelta(days=1))
def post_alert(alert_id: int, over: bool) -> None:
    """Post an alert to the webhook of ``ALERTS``."""
    telling.post_alert(_alert(alert_id), over=over)


def _alert(alert_id: int) -> Alert:
    return Alert.objects.using(settings.DATABASE).get(pk=alert_id)
