"""Who is told: receivers of the signals, a list of mail addresses, a webhook; the latter two by jobs of ours."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from django.core.mail import send_mail
from django.db import connections, transaction

from .. import client, clock, monitoring, signals
from ..conf import settings
from ..creation import Options
from ..models import Alert
from .webhook import post

logger = logging.getLogger("django_jobs.server")

MAIL = "django_jobs.mail_alert"
POST = "django_jobs.post_alert"
SIGNATURE = "Django-Jobs-Signature"
DELIVERY = "Django-Jobs-Delivery"


class Channels(NamedTuple):
    """The setting ``ALERTS``."""

    mail: list[str] = []
    """Addresses."""
    webhook: str = ""
    secret: str = ""
    """Signs what goes to the webhook."""
    allow_private: list[str] = []
    """Hosts of webhooks that may have a private address."""
    queue: str = ""
    """Of the jobs that tell; empty takes the first queue that a live server takes."""


def channels() -> Channels:
    """Raises TypeError for a key that there is not."""
    return Channels(**settings.ALERTS)


def tell(alert: Alert, *, over: bool) -> None:
    """Tell everybody of what the caller stores in its transaction: signals after the commit, the others by jobs."""
    signal = signals.alert_over if over else signals.alert_raised
    transaction.on_commit(lambda: signal.send_robust(Alert, alert=alert), using=settings.DATABASE, robust=True)
    to = channels()
    names = [MAIL] * bool(to.mail) + [POST] * bool(to.webhook)
    if not names:
        return
    queue = to.queue or _served(names)
    if queue:
        for name in names:
            client.enqueue(name, [((alert.pk,), {"over": over})], Options(queue=queue))
    else:  # nobody would run a job
        aside = threading.Thread(target=_tell_here, args=(alert, over, names), name="django-jobs-alert", daemon=True)
        transaction.on_commit(aside.start, using=settings.DATABASE, robust=True)


def _served(names: list[str]) -> str:
    """A queue in which such a job would run now; empty where there is none."""
    paused = monitoring.paused_queues()
    for taken, types, slots in monitoring.live_servers().filter(wanted="").values_list("queues", "types", "slots"):
        free = [queue for queue in taken if queue not in paused]
        if slots and free and set(names) <= set(types):
            return str(free[0])
    return ""


def _tell_here(alert: Alert, over: bool, names: list[str]) -> None:
    """In a thread of the leader, which must not wait for a mail server. It is tried once."""
    ways: dict[str, Callable[..., Any]] = {MAIL: mail, POST: post_alert}
    for name in names:
        try:
            ways[name](alert, over=over)
        except Exception:
            logger.exception("An alert could not be told: %s", alert)
    connections.close_all()


def mail(alert: Alert, *, over: bool) -> None:
    """Send it to the addresses of the settings."""
    to = channels().mail
    subject = " ".join(f"[{settings.APPLICATION}] {'Over: ' if over else ''}{alert}".split())[:200]
    lines = [f"{alert.subject}: {alert.found}", f"Since {alert.since:%Y-%m-%d %H:%M:%S %Z}"]
    if over and alert.over_at:
        lines.append(f"Over since {alert.over_at:%Y-%m-%d %H:%M:%S %Z}")
    elif alert.remedy:
        lines.append(alert.remedy)
    send_mail(subject, "\n\n".join(lines) + "\n", None, to)


def post_alert(alert: Alert, *, over: bool) -> None:
    """Send it to the webhook, signed. Raises WebhookFailed or WebhookRefused."""
    to = channels()
    body = json.dumps(_body(alert, over)).encode()
    headers = {
        "Content-Type": "application/json",
        DELIVERY: f"{alert.pk}-{'over' if over else 'raised'}",
        SIGNATURE: signature(body, to.secret, int(clock.now().timestamp())),
    }
    post(to.webhook, body, headers, allow_private=to.allow_private)


def signature(body: bytes, secret: str, at: int) -> str:
    """Of a body sent at that time, in seconds since 1970: ``t=<time>,v1=<HMAC-SHA256 of "<time>.<body>" as hex>``."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={digest.hexdigest()}"


def _body(alert: Alert, over: bool) -> dict[str, Any]:
    facts = {name: getattr(alert, name) for name in ("id", "kind", "subject", "found", "remedy")}
    times = {"since": alert.since.isoformat(), "over_at": alert.over_at.isoformat() if alert.over_at else None}
    return {"event": "over" if over else "raised", "application": settings.APPLICATION, **facts, **times}
