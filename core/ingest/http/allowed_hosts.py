"""Which hosts may be fetched from, and which of their IP addresses a connection may go to.

An address is checked after its name was resolved, and the connection goes to exactly the address that was checked: a
name resolved a second time could lead elsewhere. Only a `Network` passed in code can widen what is allowed.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from core.ingest.http.fetch_errors import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Resolves a host and a port to IP addresses (as text). Raises OSError.
Resolver = Callable[[str, int], Sequence[str]]
_SPECIAL_NETWORKS = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "fec0::/10")))
_NAT64_NETWORK = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class ConnectionTarget:
    """Where a connection goes: the host by name, and those of its addresses that passed the check."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


def resolve_host(host: str, port: int) -> list[str]:
    """The IP addresses of a host, as the operating system resolves it. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(socket_address[0]) for *_, socket_address in found))


def is_public(address: Address) -> bool:
    """Whether an address, and any IPv4 address embedded in it, belongs to the public internet.

    Private, loopback, link-local, multicast, reserved and unspecified ones do not, nor do IPv4-mapped ones (RFC 4291).
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64_NETWORK:  # RFC 6052
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None or (address.sixtofour is not None and not is_public(address.sixtofour)):
            return False
    if any(address in network for network in _SPECIAL_NETWORKS if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_link_local)


@dataclass(frozen=True)
class Network:
    """How names are resolved and which addresses are allowed. The default is the public internet over HTTPS."""

    resolve: Resolver = resolve_host
    allowed: Callable[[Address], bool] = is_public
    schemes: tuple[str, ...] = ("https",)


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts that may be fetched from, over a network."""

    hosts: frozenset[str]
    network: Network = Network()

    def parse(self, url: str) -> SplitResult:
        """The parts of a URL whose scheme and host are allowed. Raises AddressRefused."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise AddressRefused("not an address that can be fetched", "it is malformed") from None
        if parts.scheme not in self.network.schemes or port == 0:
            schemes = ", ".join(self.network.schemes)
            raise AddressRefused(
                "not an address that can be fetched", f"it begins with {parts.scheme[:20]!r}, not {schemes}"
            )
        if hostname(parts) not in self.hosts or parts.username is not None:
            allowed = ", ".join(sorted(self.hosts)) or "none"
            raise AddressRefused("a host that is not allowed", f"{hostname(parts)[:100]!r}; allowed: {allowed}")
        return parts

    def resolve(self, parts: SplitResult) -> ConnectionTarget:
        """Resolve the host of a parsed URL and check every address it has. Raises AddressRefused, OSError."""
        host, port = hostname(parts), parts.port or (443 if parts.scheme == "https" else 80)
        found = tuple(self.network.resolve(host, port))
        bad = [address for address in found if not self.network.allowed(ipaddress.ip_address(address))]
        if bad or not found:
            raise AddressRefused("an address that is not public", f"{host} is {', '.join(bad) or 'nowhere'}")
        return ConnectionTarget(parts.scheme, host, port, found)


def hostname(parts: SplitResult) -> str:
    """The host of a URL in lower case, without a trailing dot."""
    return (parts.hostname or "").lower().rstrip(".")


def request_path(parts: SplitResult) -> str:
    """The path and query for a request line, with everything quoted that a request line cannot hold."""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    return f"{path}?{quote(parts.query, safe='/%:@!$&()*+,;=~?')}" if parts.query else path
