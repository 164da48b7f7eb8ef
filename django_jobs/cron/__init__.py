"""Recurring times: cron expressions, exact in every time zone."""

from ..exceptions import CronError
from .schedule import Cron

__all__ = ["Cron", "CronError"]
