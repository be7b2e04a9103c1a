"""Which names a request may call the server by, so that a foreign page cannot reach it through a name of its own."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Hosts:
    """The names that the Host and Origin headers may hold.

    Attributes:
        allowed: Names besides those of the loopback interface, lower case, without port.
        any_address: Whether any IP address will do. Rebinding needs a name, so an address cannot be a rebound one.
    """

    allowed: frozenset[str] = frozenset()
    any_address: bool = False

    @classmethod
    def serving(cls, host: str, allowed: tuple[str, ...] = ()) -> Hosts:
        """Return the names for a server that listens on `host`."""
        names = {name.lower() for name in allowed}
        if is_loopback(host):
            return cls(frozenset(names))
        return cls(
            frozenset(names | {host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}), any_address=True
        )

    def allows_host(self, header: str) -> bool:
        """Say whether a Host header names this server."""
        return self._allows_name(_name(f"//{header}"))

    def allows_origin(self, origin: str | None, *, host: str) -> bool:
        """Say whether a request may come from a page at `origin`: the server's own, or one explicitly allowed.

        No Origin at all means no browser: browsers send it with every WebSocket and every unsafe method.
        """
        if origin is None:
            return True
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and (
            parts.netloc.lower() == host.lower() or _name(origin) in self.allowed
        )

    def _allows_name(self, name: str) -> bool:
        if name in self.allowed or is_loopback(name):
            return True
        return self.any_address and _address(name) is not None


def is_loopback(name: str) -> bool:
    """Say whether a name or an address stands for this machine alone."""
    address = _address(name)
    return name.lower() == "localhost" if address is None else address.is_loopback


def _name(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return "" if "@" in parts.netloc else (parts.hostname or "")


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None
