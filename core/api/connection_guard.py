"""The one door of the server: which connections it answers at all, and which of them come from this computer."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from core.api.guards import SafeHeaders
from core.api.local_connections import is_local, visitor_address
from core.api.served_hosts import ServedHosts, host_name, is_same_origin
from core.logs import log

# Set on every connection that passes, for what answers it; whatever a client sends under this name is removed.
CONNECTION_HEADER, VISITOR_HEADER = "x-contact-sheet-connection", "x-contact-sheet-visitor"
LOCAL, REMOTE = "local", "remote"
MAX_LOGGED_HEADER = 100
HOST_ADVICE = "if people should reach this server by that name, add it to CONTACTSHEET_HOSTS"
ORIGIN_ADVICE = (
    "behind a proxy, pass the browser's Host header on, or add the host and port that people open to CONTACTSHEET_HOSTS"
)


@dataclass(frozen=True)
class ConnectionGuard:
    """ASGI middleware for every request and websocket of a server.

    A Host that is not among `hosts` is refused with 421: a page of a stranger may let its own name mean this server's
    address (DNS rebinding), and its scripts could then do and read everything as if they were its own. An Origin that
    is neither the Host's own nor listed is refused with 403: that is a page of another site, or of another program of
    this computer. What passes is stamped with `CONNECTION_HEADER`, `local` or `remote`, and with `VISITOR_HEADER`, the
    address that limits count by; `client_header` is the header in which a proxy names it, empty for none.

    `behind_proxy` tells that all that comes to this server comes through a proxy on this computer, also what does not
    look like it: then nothing is local.
    """

    app: ASGIApp
    hosts: ServedHosts
    behind_proxy: bool = False
    client_header: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origins = _only(headers.getlist("host")), headers.getlist("origin")
        if host_name(host) not in self.hosts:
            _log("request for another host refused", HOST_ADVICE, host=", ".join(headers.getlist("host")))
            text = "This server is not reached by that name. If it is yours: its log says what to set."
            await _refuse(scope, text, 421)(scope, receive, send)
        elif origins and not self._is_own_origin(_only(origins), host):
            _log("request of another origin refused", ORIGIN_ADVICE, host=host, origin=", ".join(origins))
            await _refuse(scope, "Pages of other sites may not ask for this.", 403)(scope, receive, send)
        else:
            await self.app(self._stamped(scope, host, _only(origins)), receive, _unframed(send))

    def _is_own_origin(self, origin: str, host: str) -> bool:
        return is_same_origin(origin, host) or self.hosts.has_origin(origin)

    def _stamped(self, scope: Scope, host: str, origin: str) -> Scope:
        """The scope with the decision on it and, where a proxy put itself for it, with the Host that the browser named.

        Streamlit compares Origin and Host again.
        """
        names = [name.decode("latin-1").lower() for name, _ in scope["headers"]]
        through_proxy = bool(origin) and not is_same_origin(origin, host)
        client = scope["client"][0] if scope.get("client") else None
        local = not self.behind_proxy and not through_proxy and is_local(client, host_name(host), names)
        named = Headers(scope=scope).getlist(self.client_header) if self.client_header else []
        own = {CONNECTION_HEADER: LOCAL if local else REMOTE, VISITOR_HEADER: visitor_address(client, named)}
        if through_proxy:
            own["host"] = origin.partition("://")[2]
        kept = [pair for name, pair in zip(names, scope["headers"], strict=True) if name not in own]
        added = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in own.items()]
        return {**scope, "headers": kept + added}


def _unframed(send: Send) -> Send:
    """Keep pages of other sites from showing ours in a frame, where a click would be ours that is meant for theirs."""

    async def unframed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Frame-Options", "SAMEORIGIN")
            headers.setdefault("Content-Security-Policy", "frame-ancestors 'self'")
        await send(message)

    return unframed


def _refuse(scope: Scope, text: str, status: int) -> ASGIApp:
    """The answer to a request, and the refusal of a websocket before it is open (403 for the client)."""
    return SafeHeaders(PlainTextResponse(text, status)) if scope["type"] == "http" else WebSocketClose(1008)


def _only(values: list[str]) -> str:
    """The value of a header that may be there once; empty if it is missing or repeated."""
    return values[0] if len(values) == 1 else ""


def _log(message: str, advice: str, **headers: str) -> None:
    named = {name: repr(value[:MAX_LOGGED_HEADER]) for name, value in headers.items()}
    log("api", message, logging.WARNING, **named, advice=advice)
