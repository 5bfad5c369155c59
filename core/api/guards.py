"""What a request for data has to pass before its route answers it, and the headers of every answer."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


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
