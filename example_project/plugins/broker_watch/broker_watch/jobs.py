"""One job type. The addresses are the host's, the patience is the plug-in's own."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass

from django_jobs import Plugin, Retry, job

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Config:
    """How long each broker may take to answer."""

    seconds: float = 2.0


plugin = Plugin(Config, needs=["kafka"])


class BrokersAway(Exception):
    """None of the brokers answers."""


@job("EventTypeB", retry=Retry(attempts=0))
def watch_brokers() -> list[str]:
    """Return the brokers that answer; raises BrokersAway where none does."""
    servers = plugin.shared["kafka"]["bootstrapServers"].split(",")
    answering = [server for server in servers if _answers(server)]
    if not answering:
        raise BrokersAway(", ".join(servers))
    return answering


def _answers(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=plugin.config.seconds):
            logger.info("%s answers", server)
            return True
    except OSError as error:
        logger.warning("%s does not answer: %s", server, error)
        return False
