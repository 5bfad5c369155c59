"""What a request has to pass before a route answers it, and the headers of every answer."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Container
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.logs import log

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
MAX_LOGGED_HOST = 100
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class ServedHosts:
    """Host names (lower case, without a port) that a server is reached by.

    With `any_address` every IP address is allowed too. That is safe: an attack by DNS rebinding needs a name that first
    means the attacker's server and then this one, and an address cannot be made to mean another machine.
    """

    names: frozenset[str] = LOOPBACK_NAMES
    any_address: bool = False

    def __contains__(self, host: object) -> bool:
        return host in self.names or (self.any_address and _is_address(str(host)))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def host_name(header: str) -> str:
    """The name in a Host header, lower case, without the port; empty where the header is no host."""
    try:
        parts = urlsplit(f"//{header}")
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return ""
    if not port_is_valid or parts.netloc != header or "@" in header:
        return ""
    return (parts.hostname or "").removesuffix(".")


class HostCheck:
    """Middleware that refuses requests whose Host header is not among `allowed_hosts`, with 421.

    A page of a stranger may let its own name mean this server's address (DNS rebinding): its scripts could then read
    every answer as if it were their own.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Container[str], advice: str) -> None:
        """`advice` says, in the log, what to set so that another host is allowed."""
        self._app, self._allowed_hosts, self._advice = app, allowed_hosts, advice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = Headers(scope=scope).getlist("host") if scope["type"] == "http" else []
        if scope["type"] != "http" or (len(hosts) == 1 and host_name(hosts[0]) in self._allowed_hosts):
            await self._app(scope, receive, send)
            return
        named = ", ".join(hosts)[:MAX_LOGGED_HOST]
        log("api", "request for another host refused", logging.WARNING, host=repr(named), advice=self._advice)
        await PlainTextResponse("This server is not reached by that name.", 421)(scope, receive, send)


class SameOriginCheck:
    """Middleware that refuses what a browser asks for on behalf of a page of another origin, with 403.

    Clients that send no fetch metadata (programs, old browsers) pass: `Cross-Origin-Resource-Policy` covers the latter.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        site = Headers(scope=scope).get("sec-fetch-site", "none") if scope["type"] == "http" else "none"
        if site in ("same-origin", "none"):
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse("Pages of other sites may not ask for this.", 403)(scope, receive, send)


class SafeHeaders:
    """Middleware that adds `SAFE_HEADERS` to every answer, and forbids to store those that say nothing of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SAFE_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)
