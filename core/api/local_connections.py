"""Where a connection comes from: whether from someone at this very computer, and whose it counts as."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

LOCALHOST = "localhost"
# What only a proxy adds to a request; a browser sends none of these by itself.
PROXY_HEADERS = frozenset(
    {
        "forwarded",
        "via",
        "x-real-ip",
        "x-real-port",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-for",
        "x-original-forwarded-for",
        "x-original-host",
        "x-original-url",
        "x-original-uri",
        "x-proxyuser-ip",
        "x-scheme",
        "x-request-start",
        "client-ip",
        "true-client-ip",
        "fastly-client-ip",
        "fly-client-ip",
        "do-connecting-ip",
        "cdn-loop",
        "x-amzn-trace-id",
        "x-cloud-trace-context",
        "x-azure-clientip",
        "x-arr-log-id",
        "x-nginx-proxy",
    }
)
PROXY_HEADER_PREFIXES = (
    "x-forwarded",
    "proxy-",
    "cf-",
    "x-envoy-",
    "x-appengine-",
    "x-vercel-",
    "x-azure-",
    "x-goog-",
    "x-ms-proxy",
    "tailscale-",
)


def is_local(client: str | None, host: str, header_names: Iterable[str]) -> bool:
    """Whether a connection is known to come from someone at this very computer.

    `client` is the address of its other end, None if there is none (a Unix socket) or it is not known; `host` is the
    name in its Host header; `header_names` are all its headers, in lower case. A proxy on this computer connects from
    loopback for everyone, so whatever shows one makes the connection remote.
    """
    proxied = any(name in PROXY_HEADERS or name.startswith(PROXY_HEADER_PREFIXES) for name in header_names)
    return not proxied and is_loopback(client) and is_loopback_host(host)


def is_loopback_host(host: str) -> bool:
    """Whether a host name always means the computer it is used on."""
    return host == LOCALHOST or is_loopback(host)


def is_loopback(address: str | None) -> bool:
    """Whether an IP address is this computer's own; one that is not known is not."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def visitor_address(client: str | None, named: Sequence[str] = ()) -> str:
    """Whom a connection counts as: the address of its other end, or the last that a proxy's headers `named`.

    A proxy appends to what it was sent, so only the last is its own word. A network of IPv6 (/64) is one visitor, since
    one computer has all its addresses. Empty if nothing is known.
    """
    text = ",".join(named).rpartition(",")[2].strip() if named else client or ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return visitor_address(client) if named else ""
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped.version == 4 or mapped.is_loopback:
        return str(mapped)
    return str(ipaddress.ip_network((mapped, 64), strict=False).network_address)
