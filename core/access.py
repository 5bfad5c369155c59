"""Who may change things. Checked in core, next to the writes; pages only say who is asking."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import NotAllowed
from core.settings import Secret

MAX_NAME_LENGTH = 60
UNNAMED = "unnamed"
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


@dataclass(frozen=True)
class Person:
    """Someone using a page: the name they typed, where they connect from, and the key they entered."""

    name: str = ""
    over_loopback: bool = False
    key: Secret = Secret()

    @property
    def author(self) -> str:
        """The name for changes they make."""
        return " ".join(self.name.split())[:MAX_NAME_LENGTH] or UNNAMED


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


# The person at the command line, on the computer that holds the data.
OPERATOR = Person("command line", over_loopback=True)


class Access:
    """Curators are those who entered the key; if no key is set, those who connect over loopback."""

    def __init__(self, curator_key: Secret) -> None:
        self._key = curator_key

    @property
    def asks_for_key(self) -> bool:
        """Whether a key is set."""
        return bool(self._key)

    def is_curator(self, person: Person) -> bool:
        """Whether this person may change collections, clusters and shared settings."""
        if not self._key:
            return person.over_loopback
        return hmac.compare_digest(person.key.reveal().encode(), self._key.reveal().encode())

    def require_curator(self, person: Person, action: str) -> None:
        """Raise NotAllowed unless this person is a curator; `action` completes "Only curators may …"."""
        if not self.is_curator(person):
            how = "enter the curator key" if self._key else "open the page on the computer that serves it"
            raise NotAllowed(f"only curators may {action}: {how}")
