"""The hosts that a server is reached by, and how Host and Origin headers name them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from core.api.local_connections import is_loopback_host

DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def host_name(header: str) -> str:
    """The name in a Host header, lower case, without the port; empty where the header is no host."""
    parts = _split(f"//{header}")
    if parts is None or parts.netloc != header or "@" in header:
        return ""
    return (parts.hostname or "").removesuffix(".")


def is_same_origin(origin: str, host: str) -> bool:
    """Whether an Origin header has the name and the port of a Host header. The scheme may differ: a proxy ends TLS."""
    scheme, name, port = _origin(origin)
    parts = _split(f"//{host}")
    if not name or parts is None:
        return False
    return (name, port) == (host_name(host), parts.port or DEFAULT_PORTS[scheme])


@dataclass(frozen=True)
class ServedHosts:
    """Hosts that a server is reached by, and the origins of pages that a proxy serves for it under another Host.

    `names` are host names in lower case, without a port; `origins` are (name, port), where port None is the default
    port of http or https.
    """

    names: frozenset[str] = LOOPBACK_NAMES
    origins: frozenset[tuple[str, int | None]] = frozenset()

    @classmethod
    def from_setting(cls, entries: Iterable[str]) -> ServedHosts:
        """The hosts of CONTACTSHEET_HOSTS, each `NAME` or `NAME:PORT`."""
        parsed = [_entry(entry) for entry in entries]
        # Without a port, a name of this computer says nothing of what else runs here.
        origins = {(name, port) for name, port in parsed if port or not is_loopback_host(name)}
        return cls(frozenset(name for name, _ in parsed), frozenset(origins))

    def __contains__(self, host: object) -> bool:
        return host in self.names

    @property
    def all_loopback(self) -> bool:
        """Whether this server is reached from this computer alone, as far as its names say."""
        return all(map(is_loopback_host, self.names))

    def has_origin(self, origin: str) -> bool:
        """Whether an Origin header names one of these hosts with its port."""
        scheme, name, port = _origin(origin)
        listed = {(name, port)} | ({(name, None)} if port == DEFAULT_PORTS.get(scheme) else set())
        return bool(listed & self.origins)


def _entry(entry: str) -> tuple[str, int | None]:
    bare_ipv6 = entry.count(":") > 1 and not entry.startswith("[")
    parts = urlsplit(f"//[{entry}]" if bare_ipv6 else f"//{entry}")
    return (parts.hostname or "").removesuffix("."), parts.port


def _origin(header: str) -> tuple[str, str, int]:
    """Scheme, name and port of an Origin header; empty and 0 where it is none of http or https."""
    parts = _split(header)
    if parts is None or parts.scheme not in DEFAULT_PORTS or header != f"{parts.scheme}://{parts.netloc}":
        return "", "", 0
    return parts.scheme, host_name(parts.netloc), parts.port or DEFAULT_PORTS[parts.scheme]


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return None
    return parts if port_is_valid else None
