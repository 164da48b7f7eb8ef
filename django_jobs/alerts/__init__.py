"""Alerts: a trouble is told once when it begins and once when it is over, by signal, mail and webhook.

The leader looks, from its own state alone: two looks in a row must see a trouble before it is told, and it must have
been away for a while before it is over.
"""

from .watch import Watch, open_alerts, server_died

__all__ = ["Watch", "open_alerts", "server_died"]
