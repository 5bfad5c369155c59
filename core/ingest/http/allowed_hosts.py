"""Which hosts may be fetched from, and which of their addresses a connection may go to.

An address is checked after its name was resolved, and the connection goes to the very address that was checked: a name
that is resolved a second time could lead elsewhere. Nothing but a `Network` given in code can widen what is allowed.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from core.ingest.http.fetch_errors import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# A host and a port to the addresses (as text) that its name has now. Raises OSError.
Resolver = Callable[[str, int], Sequence[str]]
_REFUSED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "64:ff9b:1::/48", "fec0::/10")))
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True)
class Target:
    """Where a connection goes: the host by name, and the addresses that were found good for it."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


def system_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, as the operating system resolves it. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, itself and whatever IPv4 address it carries.

    Private, loopback, link-local, multicast, reserved and unspecified ones do not, nor do IPv4-mapped ones (RFC 4291).
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address in _TRANSLATED:  # NAT64 (RFC 6052)
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None or (address.sixtofour is not None and not is_public(address.sixtofour)):
            return False
    if any(address in network for network in _REFUSED if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_link_local)


@dataclass(frozen=True)
class Network:
    """How names become addresses and which of these are good. The default is the public internet over HTTPS."""

    resolve: Resolver = system_addresses
    allowed: Callable[[Address], bool] = is_public
    schemes: tuple[str, ...] = ("https",)


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts that may be fetched from, through a network."""

    hosts: frozenset[str]
    network: Network = Network()

    def split(self, url: str) -> SplitResult:
        """The parts of an address whose scheme and host are allowed. Raises Refused."""
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
        if host_of(parts) not in self.hosts or parts.username is not None:
            allowed = ", ".join(sorted(self.hosts)) or "none"
            raise AddressRefused("a host that is not allowed", f"{host_of(parts)[:100]!r}; allowed are {allowed}")
        return parts

    def addresses(self, parts: SplitResult) -> Target:
        """Resolve the host of `split` and check every address that it has. Raises Refused, OSError."""
        host, port = host_of(parts), parts.port or (443 if parts.scheme == "https" else 80)
        found = tuple(self.network.resolve(host, port))
        bad = [address for address in found if not self.network.allowed(ipaddress.ip_address(address))]
        if bad or not found:
            raise AddressRefused("an address that is not public", f"{host} is {', '.join(bad) or 'nowhere'}")
        return Target(parts.scheme, host, port, found)


def host_of(parts: SplitResult) -> str:
    """The host of an address, lower case and without a final dot."""
    return (parts.hostname or "").lower().rstrip(".")


def path_of_request(parts: SplitResult) -> str:
    """What a request line asks a host for, with nothing in it that a request line cannot hold."""
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    return f"{path}?{quote(parts.query, safe='/%:@!$&()*+,;=~?')}" if parts.query else path
