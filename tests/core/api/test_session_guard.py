"""What a server's own sign-in cookie and ours make of a connection, before a server that only says what it sees."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from core.access import Access, Person, RoleRules
from core.api.connection_guard import ConnectionGuard
from core.api.served_hosts import ServedHosts
from core.api.session_guard import (
    SESSION_COOKIE,
    SESSION_HEADER,
    SIGN_IN_COOKIE,
    SessionGuard,
    SignInRoutes,
    session_route,
)
from core.errors import StoreError
from core.sessions import SessionService
from core.settings import Secret
from core.store.sql.database import Database
from core.store.sql.rate_limits import RateLimits
from core.store.sql.session_store import SessionStore
from tests.core.test_access import Trail

USER = "_server_user"
CLAIMS = {"iss": "https://id.example", "sub": "17", "name": "Ann"}
HERE = "http://localhost:8501"
OWN_PAGE = {"sec-fetch-site": "same-origin"}


def read_claims(cookies: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What the server signed, for this test any JSON."""
    try:
        return dict(json.loads(bytes.fromhex(cookies[USER])))
    except (KeyError, ValueError):
        return None


def user_cookie(**claims: Any) -> str:
    return json.dumps(claims).encode().hex()


class Server:
    """One server process: its sessions, and what its own sign-in answers next."""

    def __init__(self, data: Path, trail: Trail, base: str = "", over_tls: bool = False) -> None:
        store = SessionStore(Database(data / "contactsheet.db"))
        access = Access(
            Secret("sesame"), RoleRules(), lambda session: store.get(session) is not None, store.has_ended, trail
        )
        rates = RateLimits(data / "limits.db")
        self.sessions, self.base = SessionService(store, access, rates, timedelta(days=14), "groups"), base
        self.signs_in: str | None = user_cookie(**CLAIMS)
        self.reachable = True
        routes = [
            Route(f"{base}/auth/login", self.login),
            Route(f"{base}/oauth2callback", self.callback),
            Route(f"{base}/auth/logout", self.logout),
            Route(f"{base}/seen", lambda request: JSONResponse(dict(request.headers))),
            WebSocketRoute(f"{base}/stream", self.stream),
            session_route(lambda: self.sessions, base),
        ]
        sign_in = SignInRoutes(USER, read_claims, over_tls)
        self.app = Starlette(
            routes=routes,
            middleware=[
                Middleware(ConnectionGuard, hosts=ServedHosts(frozenset({"localhost", "photos.example"}))),
                Middleware(SessionGuard, sessions=lambda: self.sessions, routes=sign_in, base_path=base),
            ],
        )

    async def login(self, request: Request) -> Response:
        if not self.reachable:
            return PlainTextResponse("Authentication error", 400)
        return RedirectResponse("https://id.example/authorize", 302)

    async def callback(self, request: Request) -> Response:
        response = RedirectResponse(f"{self.base}/", 302)
        if self.signs_in is not None:
            response.set_cookie(USER, self.signs_in, httponly=True)
            response.set_cookie(f"{USER}_tokens", "t", httponly=True)
        return response

    async def logout(self, request: Request) -> Response:
        response = JSONResponse(sorted(request.cookies))
        response.delete_cookie(USER)
        return response

    async def stream(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_json({"session": socket.headers.get(SESSION_HEADER, ""), "cookies": sorted(socket.cookies)})
        await socket.close()


@pytest.fixture
def trail() -> Trail:
    return Trail()


@pytest.fixture
def server(tmp_path: Path, trail: Trail) -> Server:
    return Server(tmp_path, trail)


@pytest.fixture
def browser(server: Server) -> Iterator[TestClient]:
    with TestClient(server.app, base_url=HERE, follow_redirects=False) as browser:
        yield browser


def seen(browser: TestClient, base: str = "", **headers: str) -> dict[str, Any]:
    """What a page's websocket carries."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"origin": HERE, "host": "localhost:8501", **({"cookie": cookies} if cookies else {}), **headers}
    with browser.websocket_connect(f"{base}/stream", headers=headers) as socket:
        return dict(socket.receive_json())


def sign_in(browser: TestClient, base: str = "") -> Any:
    return browser.get(f"{base}/oauth2callback?code=x&state=y")


def test_whoever_signs_in_has_a_session_of_ours_beside_the_servers_cookie(browser: TestClient, server: Server) -> None:
    assert seen(browser) == {"session": "", "cookies": []}
    sign_in(browser)
    found = seen(browser)
    assert found["cookies"] == sorted([USER, f"{USER}_tokens", SESSION_COOKIE])
    session = server.sessions.get(found["session"])
    assert session is not None
    assert session.account is not None
    assert (session.account.id, session.visitor) == ("https://id.example 17", "")


def test_the_cookie_is_for_no_script_and_no_other_site(browser: TestClient) -> None:
    cookie = next(c for c in sign_in(browser).headers.get_list("set-cookie") if c.startswith(SESSION_COOKIE))
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=1209600"} <= attributes
    assert "secure" not in attributes


def test_the_servers_cookies_with_all_claims_go_to_the_sign_out_alone_and_end_with_it(browser: TestClient) -> None:
    def paths(answer: Any) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for cookie in answer.headers.get_list("set-cookie"):
            name, _, attributes = cookie.partition("=")
            found.setdefault(name, set()).update(p.strip() for p in attributes.split(";") if "ath=" in p)
        return found

    signed_in = paths(sign_in(browser))
    assert signed_in[USER] == signed_in[f"{USER}_tokens"] == {"Path=/auth/logout"}
    assert signed_in[SESSION_COOKIE] == {"Path=/"}
    assert paths(browser.get("/auth/logout", headers=OWN_PAGE))[USER] == {"Path=/", "Path=/auth/logout"}


def test_signing_in_once_more_ends_the_session_before(browser: TestClient, server: Server) -> None:
    sign_in(browser)
    first = seen(browser)["session"]
    sign_in(browser)
    assert server.sessions.get(first) is None
    assert server.sessions.get(seen(browser)["session"]) is not None


def test_who_comes_back_from_the_providers_sign_out_has_not_failed_to_sign_in(
    browser: TestClient, server: Server, trail: Trail
) -> None:
    server.signs_in = None
    browser.get("/oauth2callback?state=y")
    assert trail.lines == []


def test_the_servers_cookie_alone_signs_nobody_in(browser: TestClient) -> None:
    browser.cookies.set(USER, user_cookie(**CLAIMS))
    browser.cookies.set(f"{USER}_tokens", "t")
    browser.cookies.set("other", "kept")
    assert seen(browser) == {"session": "", "cookies": ["other"]}


def test_a_client_names_no_session_itself(browser: TestClient, server: Server) -> None:
    token = server.sessions.sign_in(CLAIMS, "", "")
    recognised = server.sessions.recognise(token)
    assert recognised is not None
    assert seen(browser, **{SESSION_HEADER: recognised.id})["session"] == ""
    assert SESSION_HEADER not in browser.get("/seen", headers={SESSION_HEADER: recognised.id}).json()


@pytest.mark.parametrize("way", ["signing out", "revoked"])
def test_cookies_saved_before_the_end_of_a_session_are_worth_nothing_in_any_server(
    browser: TestClient, server: Server, tmp_path: Path, trail: Trail, way: str
) -> None:
    sign_in(browser)
    saved, session = dict(browser.cookies), seen(browser)["session"]
    if way == "signing out":
        assert browser.get("/auth/logout", headers={"sec-fetch-site": "same-origin"}).json() == sorted(saved)
        assert SESSION_COOKIE not in dict(browser.cookies)
    else:
        server.sessions.revoke(Person(is_operator=True), session)
    for process in (server, Server(tmp_path, trail)):
        with TestClient(process.app, base_url=HERE, cookies=saved) as thief:
            assert seen(thief) == {"session": "", "cookies": [SESSION_COOKIE]}


def test_a_second_server_process_knows_the_session(browser: TestClient, tmp_path: Path, trail: Trail) -> None:
    sign_in(browser)
    with TestClient(Server(tmp_path, trail).app, base_url=HERE, cookies=dict(browser.cookies)) as elsewhere:
        assert seen(elsewhere)["session"] == seen(browser)["session"] != ""


def test_no_page_of_another_site_signs_anyone_out(browser: TestClient) -> None:
    sign_in(browser)
    ways: list[dict[str, str]] = [{"sec-fetch-site": site} for site in ("cross-site", "same-site", "none")]
    for headers in (*ways, {}, {"referer": "https://evil.example/"}):
        answer = browser.get("/auth/logout", headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert seen(browser)["session"] != ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "the identity provider’s answer was not accepted"),
        ("zz", "the identity provider’s answer was not accepted"),
        (user_cookie(iss="https://id.example"), "did not say who signed in"),
    ],
)
def test_who_fails_to_sign_in_has_no_session_and_leaves_a_line(
    browser: TestClient, server: Server, trail: Trail, answer: str | None, reason: str
) -> None:
    server.signs_in = answer
    assert sign_in(browser).status_code == 302
    assert seen(browser)["session"] == ""
    ((_, action, _, target, _),) = trail.lines
    assert action == "sign-in failed"
    assert reason in target


def test_no_page_of_another_site_begins_a_sign_in_and_counts_as_a_try(browser: TestClient) -> None:
    for _ in range(100):
        assert browser.get("/auth/login", headers={"sec-fetch-site": "cross-site"}).status_code == 303
    assert browser.get("/auth/login", headers=OWN_PAGE).status_code == 302


def test_many_sign_ins_of_one_visitor_have_to_wait(browser: TestClient) -> None:
    codes = [browser.get("/auth/login", headers=OWN_PAGE).status_code for _ in range(70)]
    assert codes == [302] * 60 + [429] * 10


def test_where_the_provider_does_not_answer_one_is_back_on_the_page_that_says_so(
    server: Server, browser: TestClient, trail: Trail
) -> None:
    server.reachable = False
    page = f"{HERE}/clusters?collection=birds"
    answer = browser.get("/auth/login", headers={**OWN_PAGE, "referer": page})
    assert (answer.status_code, answer.headers["location"]) == (303, "/clusters?collection=birds")
    assert browser.cookies[SIGN_IN_COOKIE] == "unreachable"
    assert [line[1] for line in trail.lines] == ["sign-in failed"]


def test_whoever_is_denied_is_back_on_the_page_they_came_from(
    server: Server, browser: TestClient, trail: Trail
) -> None:
    browser.get("/auth/login", headers={**OWN_PAGE, "referer": f"{HERE}/library"})
    server.signs_in = None
    answer = browser.get("/oauth2callback?error=access_denied&state=y")
    assert answer.headers["location"] == "/library"
    assert browser.cookies[SIGN_IN_COOKIE] == "denied"
    assert [line[3:] for line in trail.lines] == [["access_denied", "refused"]]


# -- the way back -----------------------------------------------------------------------------------------------------


def test_signing_in_leads_back_to_the_page_one_came_from(browser: TestClient) -> None:
    browser.get("/auth/login", headers={"referer": f"{HERE}/clusters?collection=birds&draft=x"})
    assert sign_in(browser).headers["location"] == "/clusters?collection=birds&draft=x"
    assert sign_in(browser).headers["location"] == "/"


@pytest.mark.parametrize(
    "referer",
    [
        "https://evil.example/clusters",
        "http://localhost:8501//evil.example",
        "http://localhost:8501/\\evil.example",
        "http://localhost:9000/clusters",
        "http://localhost:8501",
        "http://localhost:8501/" + "x" * 2000,
        "javascript:alert(1)",
        "http://[",
    ],
)
def test_it_leads_nowhere_else(browser: TestClient, referer: str) -> None:
    assert browser.get("/auth/login", headers={**OWN_PAGE, "referer": referer}).status_code == 302
    assert sign_in(browser).headers["location"] == "/"


@pytest.mark.parametrize("page", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\tb", "x"])
def test_a_forged_way_back_is_not_followed(browser: TestClient, page: str) -> None:
    browser.cookies.set("contact_sheet_return", page)
    assert sign_in(browser).headers["location"] == "/"


# -- names and keys ---------------------------------------------------------------------------------------------------


def claim(browser: TestClient, code: str, origin: str = HERE) -> int:
    return browser.post("/session", content=code, headers={"origin": origin}).status_code


def test_a_browser_claims_the_session_that_a_page_offered_it(browser: TestClient, server: Server) -> None:
    _, code = server.sessions.offer(Person("Ada"), "")
    assert claim(browser, code) == 204
    session = server.sessions.get(seen(browser)["session"])
    assert session is not None
    assert session.name == "Ada"
    assert claim(browser, code) == 403


def test_no_page_of_another_site_claims_one(browser: TestClient, server: Server) -> None:
    _, code = server.sessions.offer(Person("Ada"), "")
    assert claim(browser, code, "https://evil.example") == 403
    assert claim(browser, code) == 204


@pytest.mark.parametrize(("body", "status"), [("", 403), ("x", 403), ("é" * 20, 403), ("x" * 5_000_000, 413)])
def test_anything_else_claims_nothing(browser: TestClient, body: str, status: int) -> None:
    assert claim(browser, body) == status
    assert SESSION_COOKIE not in dict(browser.cookies)
    assert browser.get("/session").status_code == 405


# -- TLS and base path ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "base_url", "over_tls"),
    [
        ({"x-forwarded-proto": "https"}, HERE, False),
        ({"x-forwarded-proto": "https, http"}, HERE, False),
        ({}, "https://localhost:8501", False),
        ({}, HERE, True),
        ({"referer": "https://localhost:8501/search"}, HERE, False),
    ],
)
def test_over_tls_every_cookie_is_secure(
    tmp_path: Path, trail: Trail, headers: dict[str, str], base_url: str, over_tls: bool
) -> None:
    app = Server(tmp_path, trail, over_tls=over_tls).app
    with TestClient(app, base_url=base_url, follow_redirects=False, headers=headers) as browser:
        cookies = sign_in(browser).headers.get_list("set-cookie")
    assert len(cookies) >= 3
    assert all(cookie.lower().count("secure") == 1 for cookie in cookies)


def test_below_a_base_path_everything_is_as_at_the_top(tmp_path: Path, trail: Trail) -> None:
    app = Server(tmp_path, trail, "/gallery").app
    with TestClient(app, base_url=HERE, follow_redirects=False) as browser:
        browser.get("/gallery/auth/login", headers={"referer": f"{HERE}/gallery/clusters"})
        answer = sign_in(browser, "/gallery")
        assert answer.headers["location"] == "/gallery/clusters"
        cookies = answer.headers.get_list("set-cookie")
        assert any(c.startswith(SESSION_COOKIE) and "path=/gallery" in c.lower() for c in cookies)
        assert seen(browser, "/gallery")["session"] != ""


def test_where_sessions_cannot_be_read_nobody_is_signed_in_and_the_server_answers(
    browser: TestClient, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(browser)

    def fail(token: str) -> None:
        raise StoreError("the database cannot be read")

    monkeypatch.setattr(server.sessions, "recognise", fail)
    assert seen(browser) == {"session": "", "cookies": [SESSION_COOKIE]}
