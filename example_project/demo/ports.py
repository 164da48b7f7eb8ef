"""Finding ports."""

from __future__ import annotations

import errno
import socket

TRIED = 50
"""How many ports after the wanted one are tried."""


def first_free(host: str, wanted: int) -> int:
    """The wanted port, or the next one that is free. Raises OSError where the host cannot be listened on."""
    for port in range(wanted, min(wanted + TRIED, 65535) + 1):
        try:
            return _bound(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"ports {wanted} to {wanted + TRIED} are all in use")


def any_free(host: str = "127.0.0.1") -> int:
    return _bound(host, 0)


def _bound(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def answers(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
