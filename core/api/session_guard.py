"""Which session a connection belongs to, and what signing in and out through an identity provider leaves behind."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import SplitResult, urlsplit

from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.api.connection_guard import VISITOR_HEADER
from core.api.guards import SafeHeaders
from core.errors import ContactSheetError, TooManyTries
from core.logs import log
from core.records.sessions import RecognisedSession
from core.sessions import MAX_CLAIM_LENGTH, SessionService

SESSION_COOKIE, RETURN_COOKIE = "contact_sheet_session", "contact_sheet_return"
# How a sign-in that did not succeed ended, for the page that it leads back to: denied, failed or unreachable.
SIGN_IN_COOKIE = "contact_sheet_sign_in"
RETURN_WITHIN_S, TOLD_WITHIN_S = 600, 30
MAX_RETURN_LENGTH = 1_500
# Set on every websocket, for the pages: the id of its session, and `key` where it remembers the curator key.
SESSION_HEADER = "x-contact-sheet-session"

ClaimsReader = Callable[[Mapping[str, str]], Mapping[str, Any] | None]


@dataclass(frozen=True)
class SignInRoutes:
    """The sign-in of the server that runs the pages: where its routes are, and how it remembers who signed in.

    `cookie` is the name of its cookie, and what the names of its parts and companions begin with; `read_claims` gives
    what it says of the person, None unless the server itself has signed it.
    """

    cookie: str
    read_claims: ClaimsReader
    over_tls: bool = False  # whether the provider sends people back to an https address
    login: str = "/auth/login"
    logout: str = "/auth/logout"
    callback: str = "/oauth2callback"


class SessionGuard:
    """ASGI middleware that lets the server's own sign-in cookie count only while our session of it lives.

    That cookie says who signed in and is good for 30 days, whatever happens; ours names a session that can be ended, in
    all tabs and server processes at once. It stands behind `ConnectionGuard`. Cookies are `Secure` where the browser
    speaks TLS.
    """

    def __init__(
        self, app: ASGIApp, sessions: Callable[[], SessionService], routes: SignInRoutes, base_path: str = ""
    ) -> None:
        """`sessions` is asked at each request, so that the server starts without them. Paths begin with `base_path`."""
        self._app, self._sessions, self._routes, self._base_path = app, sessions, routes, base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        send = _with_secure_cookies(send) if self._routes.over_tls or _speaks_tls(connection) else send
        path = scope["path"].removeprefix(self._base_path)
        if scope["type"] == "websocket":
            await self._app(await self._stamped(scope, connection), receive, send)
        elif path == self._routes.logout:
            await self._sign_out(scope, receive, send)
        elif path in (self._routes.callback, self._routes.login):
            await self._sign_in(scope, receive, send, path)
        else:
            await self._app(_with_headers(scope, {}), receive, send)

    @property
    def _cookie_path(self) -> str:
        return self._base_path or "/"

    async def _stamped(self, scope: Scope, connection: HTTPConnection) -> Scope:
        """The scope with its session on it, and with the server's sign-in cookies only if that session lives."""
        session = await self._recognised(connection)
        if session is None:
            cookies = {name: value for name, value in connection.cookies.items() if not self._is_sign_in(name)}
            text = "; ".join(f"{name}={value}" for name, value in cookies.items())
            return _with_headers(scope, {"cookie": text} if connection.cookies else {})
        return _with_headers(scope, {SESSION_HEADER: f"{session.id} key" if session.has_key else session.id})

    async def _recognised(self, connection: HTTPConnection) -> RecognisedSession | None:
        token = connection.cookies.get(SESSION_COOKIE, "")
        return await self._ask(lambda: self._sessions().recognise(token)) if token else None

    def _is_sign_in(self, cookie: str) -> bool:
        return cookie.startswith(self._routes.cookie)

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        connection = HTTPConnection(scope)
        visitor = connection.headers.get(VISITOR_HEADER, "")
        if path == self._routes.login and not _comes_from_own_page(connection):
            await RedirectResponse(self._cookie_path, 303)(scope, receive, send)
            return
        try:
            await run_sync(lambda: self._sessions().begin_sign_in(visitor))
        except TooManyTries as error:
            headers = {"Retry-After": str(math.ceil(error.wait_s))}
            await SafeHeaders(PlainTextResponse(f"{error}.", 429, headers))(scope, receive, send)
            return
        except ContactSheetError as error:
            log("api", "nobody can sign in", logging.ERROR, error=str(error))
            text = "Nobody can sign in now; the log of the server says why."
            await SafeHeaders(PlainTextResponse(text, 503))(scope, receive, send)
            return
        answer = self._signing_in if path == self._routes.callback else self._leaving
        await self._app(scope, receive, answer(connection, send))

    async def _sign_out(self, scope: Scope, receive: Receive, send: Send) -> None:
        """End the session, also if the person never comes back from the identity provider's own sign-out."""
        request = Request(scope)
        if not _comes_from_own_page(request):
            await RedirectResponse(self._cookie_path, 303)(scope, receive, send)
            return
        token = request.cookies.get(SESSION_COOKIE, "")
        if token:
            await self._ask(lambda: self._sessions().end_token(token))

        async def forgetting(message: Message) -> None:
            if message["type"] == "http.response.start":  # where they are now, and where they were in earlier versions
                moved = [self._for_sign_out(*pair) for pair in message["headers"]]
                message["headers"] = [*message["headers"], *(pair for pair in moved if pair not in message["headers"])]
            _add_cookie(message, lambda response: response.delete_cookie(SESSION_COOKIE, path=self._cookie_path))
            await send(message)

        await self._app(_with_headers(scope, {}), receive, forgetting)

    def _signing_in(self, connection: HTTPConnection, send: Send) -> Send:
        """Passes the answer to a sign-in on, with a session of ours for whom it signs in."""

        async def beginning(message: Message) -> None:
            if message["type"] == "http.response.start":
                token, failure = await self._begin(connection, _set_cookies(message))
                if token or failure:
                    self._send_back(connection, message, token, failure)
            await send(message)

        return beginning

    def _leaving(self, connection: HTTPConnection, send: Send) -> Send:
        """Remembers, while someone signs in, the page that they came from; where they cannot, leads back to it."""
        page = _page_of(connection)
        failed = False

        async def leaving(message: Message) -> None:
            nonlocal failed
            if message["type"] == "http.response.start" and message["status"] >= 400:
                failed = True
                visitor = connection.headers.get(VISITOR_HEADER, "")
                reason = "the identity provider could not be reached"
                await self._ask(lambda: self._sessions().record_failed_sign_in(visitor, reason))
                response = RedirectResponse(page or self._cookie_path, 303)
                self._tell(response, "unreachable")
                await response(connection.scope, _no_message, send)
            if failed:
                return
            if page:
                _add_cookie(message, lambda response: _set_return_cookie(response, page, self._cookie_path))
            await send(message)

        return leaving

    def _tell(self, response: Response, failure: str) -> None:
        """Let the page that comes next say how the sign-in ended."""
        path = self._cookie_path
        response.set_cookie(SIGN_IN_COOKIE, failure, max_age=TOLD_WITHIN_S, path=path, httponly=True, samesite="lax")

    def _send_back(self, connection: HTTPConnection, message: Message, token: str | None, failure: str) -> None:
        """Lead to the page that the person came from, with the session's cookie if they signed in."""
        page = connection.cookies.get(RETURN_COOKIE, "")
        if _is_own_path(page):
            MutableHeaders(scope=message)["location"] = page
        message["headers"] = [self._for_sign_out(*pair) for pair in message["headers"]]
        _add_cookie(message, lambda response: response.delete_cookie(RETURN_COOKIE, path=self._cookie_path))
        if token:
            sessions, path = self._sessions(), self._cookie_path
            _add_cookie(message, lambda response: set_session_cookie(response, sessions, token, path))
            _add_cookie(message, lambda response: response.delete_cookie(SIGN_IN_COOKIE, path=path))
        else:
            _add_cookie(message, lambda response: self._tell(response, failure))

    def _for_sign_out(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        """A header; if it sets a cookie of the server's own, for the path of the sign-out alone.

        With all claims and tokens these grow too large for a websocket's handshake, and only signing out needs them.
        """
        if name.lower() != b"set-cookie" or not self._is_sign_in(value.decode("latin-1")):
            return name, value
        kept = [part for part in value.split(b";") if not part.strip().lower().startswith(b"path=")]
        return name, b";".join([*kept, f" Path={self._base_path}{self._routes.logout}".encode()])

    async def _begin(self, connection: HTTPConnection, cookies: Mapping[str, str]) -> tuple[str | None, str]:
        """The token of a new session for whom these cookies sign in; else how that failed, with a line in the log.

        Neither for who comes back from the provider's own sign-out.
        """
        visitor, agent = connection.headers.get(VISITOR_HEADER, ""), connection.headers.get("user-agent", "")
        claims = self._routes.read_claims(cookies) if any(cookies.values()) else None
        try:
            if claims is not None:
                token = await run_sync(lambda: self._sessions().sign_in(claims, visitor, agent))
                await self._ask(lambda: self._sessions().end_token(connection.cookies.get(SESSION_COOKIE, "")))
                return token, ""
            if not {"code", "error"} & connection.query_params.keys():
                return None, ""
            reason = connection.query_params.get("error") or "the identity provider’s answer was not accepted"
        except ContactSheetError as error:
            reason = str(error)
        await self._ask(lambda: self._sessions().record_failed_sign_in(visitor, reason))
        return None, "denied" if reason == "access_denied" else "failed"

    async def _ask(self, ask: Callable[[], Any]) -> Any:
        """What the sessions answer; None where they cannot, which counts as no session."""
        try:
            return await run_sync(ask)
        except ContactSheetError as error:
            log("api", "sessions cannot be asked", error=str(error))
            return None


def session_route(sessions: Callable[[], SessionService], base_path: str = "") -> Route:
    """`POST /session`: the body is the code of a session that a page offered; the answer sets its cookie.

    `ConnectionGuard` has let pages of this server alone come here.
    """

    async def claim(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_CLAIM_LENGTH:
                return Response(status_code=413)
        code = body.decode("ascii", "replace")
        try:
            token = await run_sync(lambda: sessions().claim(code))
        except ContactSheetError as error:
            log("api", "a session could not be claimed", logging.ERROR, error=str(error))
            return Response(status_code=503)
        response = Response(status_code=204 if token else 403)
        if token:
            set_session_cookie(response, sessions(), token, base_path or "/")
        return response

    return Route(f"{base_path}/session", SafeHeaders(_answering(claim)), methods=["POST"])


def _answering(respond: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await respond(Request(scope, receive))
        await response(scope, receive, send)

    return app


def set_session_cookie(response: Response, sessions: SessionService, token: str, path: str) -> None:
    """No script reads it, and no page of another site sends it along."""
    seconds = int(sessions.lifetime.total_seconds())
    response.set_cookie(SESSION_COOKIE, token, max_age=seconds, path=path, httponly=True, samesite="lax")


def _with_headers(scope: Scope, own: Mapping[str, str]) -> Scope:
    """The scope with these headers, and without any session that a client named itself."""
    removed = {SESSION_HEADER.encode(), *(name.encode() for name in own)}
    kept = [(name, value) for name, value in scope["headers"] if name.lower() not in removed]
    added = [(name.encode(), value.encode("latin-1")) for name, value in own.items()]
    return {**scope, "headers": kept + added}


def _speaks_tls(connection: HTTPConnection) -> bool:
    """Whether the browser uses TLS, with this server or a proxy before it; whoever forges it only harms themselves."""
    headers, secure = connection.headers, ("https", "wss")
    forwarded = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    origin = _split(headers.get("origin") or headers.get("referer") or "")
    own_origin = origin.netloc == headers.get("host", "") and origin.scheme in secure
    return connection.url.scheme in secure or forwarded in secure or own_origin


def _with_secure_cookies(send: Send) -> Send:
    async def secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [_secured(*pair) for pair in message["headers"]]}
        await send(message)

    return secured


def _secured(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    attributes = {part.strip().lower() for part in value.split(b";")[1:]}
    return name, value + b"; Secure" if name.lower() == b"set-cookie" and b"secure" not in attributes else value


def _add_cookie(message: Message, change: Callable[[Response], None]) -> None:
    """Add the cookies that `change` sets on a response to the head of another one."""
    if message["type"] != "http.response.start":
        return
    response = Response()
    change(response)
    cookies = [pair for pair in response.raw_headers if pair[0] == b"set-cookie"]
    message["headers"] = [*message["headers"], *cookies]


def _set_cookies(message: Message) -> dict[str, str]:
    """The cookies that an answer sets, by name."""
    cookies: dict[str, str] = {}
    for value in Headers(scope=message).getlist("set-cookie"):
        cookies |= {name: morsel.value for name, morsel in SimpleCookie(value).items()}
    return cookies


def _page_of(connection: HTTPConnection) -> str:
    """The page of this server that a request came from; empty if it came from elsewhere."""
    referer = _split(connection.headers.get("referer", ""))
    page = f"{referer.path}?{referer.query}" if referer.query else referer.path
    return page if referer.netloc == connection.headers.get("host", "") and _is_own_path(page) else ""


def _comes_from_own_page(connection: HTTPConnection) -> bool:
    """Whether a page of ours led here, as browsers tell; older ones, and all over plain http, by the Referer alone."""
    site = connection.headers.get("sec-fetch-site")
    return site == "same-origin" if site is not None else bool(_page_of(connection))


async def _no_message() -> Message:
    return {"type": "http.disconnect"}


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _set_return_cookie(response: Response, page: str, path: str) -> None:
    response.set_cookie(RETURN_COOKIE, page, max_age=RETURN_WITHIN_S, path=path, httponly=True, samesite="lax")


def _is_own_path(page: str) -> bool:
    """Whether this leads to a page of this server: browsers read `//host` and `/\\host` as another one's address."""
    plain = page.isascii() and page.isprintable() and "\\" not in page and len(page) <= MAX_RETURN_LENGTH
    return plain and page.startswith("/") and not page.startswith("//")
