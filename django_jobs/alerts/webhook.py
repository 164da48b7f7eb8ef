"""One POST to an address that somebody typed: to public hosts only, and nowhere that the answer says."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Collection, Iterator, Mapping
from http.client import HTTPConnection, HTTPException
from urllib.parse import SplitResult, urlsplit

from ..exceptions import WebhookFailed, WebhookRefused

TIMEOUT = 10.0
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_private: Collection[str] = ()) -> None:
    """Send the body. Raises WebhookRefused for an address that must not be asked, WebhookFailed unless it answers 2xx.

    The host's name is looked up once, and what was checked is what is connected to.
    """
    parts = _checked(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = str(parts.hostname)
    try:
        address = _address(host, port, private=host in allow_private)
        status = _send(parts, host, port, address, body, headers)
    except (OSError, HTTPException) as error:
        raise WebhookFailed(host, f"{type(error).__name__}: {error}") from error
    if not 200 <= status < 300:
        raise WebhookFailed(host, f"it answered {status}")


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise WebhookRefused("the settings", str(error)) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None or port == 0:
        raise WebhookRefused("the settings", "it must be http(s)://host/path, without a user")
    return parts


def _address(host: str, port: int, *, private: bool) -> str:
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    closed = [] if private else [text for text in found if not _is_public(text)]
    if closed:
        told = f"its address {closed[0]} is not public; ALERTS['allow_private'] may list the host"
        raise WebhookRefused(host, told)
    return found[0]


def _is_public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    return all(one.is_global and not one.is_multicast for one in _meant(address))


def _meant(address: Address) -> Iterator[Address]:
    """The address, and those of version 4 that one of version 6 may stand for."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in NAT64:
            inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        yield from (one for one in inside if one is not None)


def _send(parts: SplitResult, host: str, port: int, address: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status of the answer. Redirects are not followed; the rest of the answer is not read."""
    line = HTTPConnection(host, port, timeout=TIMEOUT)
    plain = socket.create_connection((address, port), timeout=TIMEOUT)
    try:
        secure = parts.scheme == "https"
        line.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secure else plain
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        line.request("POST", path, body, dict(headers))
        return line.getresponse().status
    finally:
        line.close()
        plain.close()
