from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from core.api.connection_guard import CONNECTION_HEADER, ConnectionGuard
from core.api.served_hosts import ServedHosts, host_name, is_same_origin
from core.app import App
from core.settings import Settings
from tests.fakes.image_server import raw

PUBLIC = ("localhost", "127.0.0.1", "::1", "photos.example", "gallery.example:8443")


@pytest.fixture
def target(shades: App) -> str:
    return f"/images/shades/{sorted(shades.titles('shades'))[0]}/thumbnail"


# -- hosts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8501", "LOCALHOST:1", "localhost.", "127.0.0.1:80", "[::1]", "[::1]:9"]
)
def test_loopback_is_allowed_under_any_port(port: int, target: str, host: str) -> None:
    assert raw(port, target, Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8501",
        "localhost.evil.example",
        "127.0.0.1.nip.io",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost/evil",
        "192.168.1.7",
        "[::2]",
        "",
        "localhost:0",
        "localhost:99999",
        "localhost:x",
        "[::1",
    ],
)
def test_another_host_is_refused_with_a_line_that_says_what_to_set(
    port: int, target: str, host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    assert raw(port, target, Host=host)[0] == 421
    advice = "if people should reach this server by that name, add it to CONTACTSHEET_HOSTS"
    # A set: pytest also listens to the logger itself where an earlier test had it not propagate.
    assert {record.getMessage() for record in caplog.records} == {
        f"request for another host refused host={host!r} advice={advice}"
    }


def test_a_host_of_a_stranger_cannot_forge_a_line_of_the_log(
    client: TestClient, target: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    assert client.get(target, headers={"Host": "evil\x1b[2J" + "x" * 5000}).status_code == 421
    line = caplog.records[0].getMessage()
    assert len(line) < 250
    assert line.isprintable()


@pytest.mark.parametrize("header", ["Example.ORG:8501", "example.org.", "EXAMPLE.org"])
def test_a_host_header_is_read_as_a_browser_writes_it(header: str) -> None:
    assert host_name(header) == "example.org"


def test_an_ipv6_address_is_read_without_its_brackets() -> None:
    assert host_name("[FE80::1]:8501") == "fe80::1"


def test_the_setting_names_hosts_with_and_without_a_port() -> None:
    text = "Photos.example, 192.168.1.7:8501 ,fe80::1,[::1]:9"
    hosts = ServedHosts.from_setting(Settings.load({"CONTACTSHEET_HOSTS": text}).hosts)
    assert hosts.names == {"photos.example", "192.168.1.7", "fe80::1", "::1"}
    assert not hosts.all_loopback
    assert not any(name in hosts for name in ("localhost", "", "evil.example", "www.photos.example"))


def test_by_default_a_server_is_reached_as_this_computer_alone() -> None:
    hosts = ServedHosts.from_setting(Settings().hosts)
    assert hosts == ServedHosts()
    assert hosts.all_loopback


# -- origins ----------------------------------------------------------------------------------------------------------

SAME = [
    ("http://localhost:8501", "localhost:8501"),
    ("http://LOCALHOST:8501", "localhost:8501"),
    ("http://[::1]:8501", "[::1]:8501"),
    ("https://photos.example", "photos.example"),
    ("https://photos.example", "photos.example:443"),
    ("http://photos.example:80", "photos.example"),
    ("https://photos.example:8501", "photos.example:8501"),
]
OTHER = [
    ("http://localhost:9999", "localhost:8501"),
    ("http://localhost", "localhost:8501"),
    ("http://127.0.0.1:8501", "localhost:8501"),
    ("https://evil.example", "localhost:8501"),
    ("http://photos.example:9999", "photos.example"),
    ("null", "localhost:8501"),
    ("file://", "localhost:8501"),
    ("", "localhost:8501"),
    ("http://localhost:8501/", "localhost:8501"),
    ("http://localhost:8501@evil.example", "localhost:8501"),
    ("http://localhost:x", "localhost:8501"),
    ("ftp://localhost:8501", "localhost:8501"),
    ("localhost:8501", "localhost:8501"),
]


@pytest.mark.parametrize(("origin", "host"), SAME)
def test_an_origin_of_the_same_name_and_port_is_its_own_whatever_the_scheme(origin: str, host: str) -> None:
    assert is_same_origin(origin, host)


@pytest.mark.parametrize(("origin", "host"), OTHER)
def test_every_other_origin_is_not(origin: str, host: str) -> None:
    assert not is_same_origin(origin, host)


def test_an_origin_may_be_listed_with_its_port_and_a_name_of_this_computer_only_so() -> None:
    hosts = ServedHosts.from_setting((*PUBLIC, "localhost:8080"))
    listed = (
        "https://photos.example",
        "http://photos.example",
        "https://gallery.example:8443",
        "http://localhost:8080",
    )
    assert all(map(hosts.has_origin, listed))
    others = (
        "https://photos.example:1",
        "https://gallery.example",
        "http://localhost",
        "http://localhost:8501",
        "null",
    )
    assert not any(map(hosts.has_origin, others))


# -- what passes, and its stamp ---------------------------------------------------------------------------------------


async def _answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.headers.getlist(CONNECTION_HEADER)} {request.headers['host']}")


async def _stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text(f"{websocket.headers.getlist(CONNECTION_HEADER)} {websocket.headers['host']}")
    await websocket.close()


@dataclass(frozen=True)
class Guarded:
    """A server behind the guard, as a client at this address sees it."""

    hosts: tuple[str, ...] = PUBLIC
    behind_proxy: bool = False
    client: str = "127.0.0.1"
    routes: list[Route | WebSocketRoute] = field(
        default_factory=lambda: [Route("/page", _answer), WebSocketRoute("/stream", _stream)]
    )

    def _client(self) -> TestClient:
        guard = Middleware(ConnectionGuard, ServedHosts.from_setting(self.hosts), self.behind_proxy)
        return TestClient(Starlette(routes=self.routes, middleware=[guard]), client=(self.client, 50000))

    def page(self, **headers: str) -> tuple[int, str]:
        answer = self._client().get("/page", headers=_named(headers))
        return answer.status_code, answer.text

    def websocket(self, **headers: str) -> str:
        """What a websocket says, or that it was refused."""
        try:
            with self._client().websocket_connect("/stream", headers=_named(headers)) as socket:
                return socket.receive_text()
        except WebSocketDisconnect as refused:
            return f"refused {refused.code}"


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


LOCAL = "['local'] localhost:8501"


def test_a_browser_of_this_computer_is_local_on_pages_and_websockets() -> None:
    headers = {"Host": "localhost:8501", "Origin": "http://localhost:8501"}
    assert Guarded().page(**headers) == (200, LOCAL)
    assert Guarded().websocket(**headers) == LOCAL
    assert Guarded().websocket(Host="localhost:8501") == LOCAL


@pytest.mark.parametrize(
    "guarded",
    [
        Guarded(client="192.168.1.7"),
        Guarded(client="::ffff:192.168.1.7"),
        Guarded(client=""),
        Guarded(client="testclient"),
        Guarded(behind_proxy=True),
    ],
)
def test_others_are_remote_whatever_they_claim(guarded: Guarded) -> None:
    claim = {"X-Contact-Sheet-Connection": "local", "Host": "localhost:8501"}
    assert guarded.websocket(**claim) == "['remote'] localhost:8501"
    assert guarded.page(**claim) == (200, "['remote'] localhost:8501")


def test_a_connection_without_an_address_is_remote() -> None:
    scope = {"type": "websocket", "headers": [(b"host", b"localhost")], "client": None}
    guard = ConnectionGuard(app=Starlette(), hosts=ServedHosts())
    assert (CONNECTION_HEADER.encode(), b"remote") in guard._stamped(scope, "localhost", "")["headers"]


@pytest.mark.parametrize("host", ["evil.example:8501", "", "localhost, evil.example"])
def test_another_host_gets_no_page_and_no_websocket(host: str) -> None:
    status, text = Guarded().page(Host=host)
    assert (status, text) == (421, "This server is not reached by that name. If it is yours: its log says what to set.")
    assert Guarded().websocket(Host=host) == "refused 1008"


def test_addresses_that_do_not_exist_are_guarded_too() -> None:
    assert Guarded(routes=[]).page(Host="evil.example")[0] == 421
    assert Guarded(routes=[]).page(Host="localhost")[0] == 404


@pytest.mark.parametrize("origin", ["http://localhost:9999", "https://evil.example", "null", "http://127.0.0.1:8501"])
def test_another_origin_is_refused_also_that_of_another_program_of_this_computer(origin: str) -> None:
    assert Guarded().page(Host="localhost:8501", Origin=origin) == (403, "Pages of other sites may not ask for this.")
    assert Guarded().websocket(Host="localhost:8501", Origin=origin) == "refused 1008"


def test_a_listed_origin_passes_a_proxy_that_names_another_host_and_is_remote() -> None:
    for origin, host in (("https://photos.example", "photos.example"), ("https://gallery.example:8443",) * 2):
        seen = f"['remote'] {host.removeprefix('https://')}"
        assert Guarded().websocket(Host="127.0.0.1:8501", Origin=origin) == seen


def test_what_a_proxy_adds_makes_a_connection_remote() -> None:
    assert Guarded().websocket(Host="localhost:8501", Via="1.1 proxy").startswith("['remote']")
    assert Guarded().websocket(Host="photos.example").startswith("['remote']")


def test_a_refused_origin_leaves_a_line_that_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    Guarded().page(Host="localhost:8501", Origin="http://localhost:9999")
    line = caplog.records[0].getMessage()
    assert "origin='http://localhost:9999'" in line
    assert "CONTACTSHEET_HOSTS" in line


def test_no_other_site_shows_a_page_in_a_frame() -> None:
    server = Starlette(
        routes=[Route("/", lambda _: PlainTextResponse("a page"))],
        middleware=[Middleware(ConnectionGuard, hosts=ServedHosts())],
    )
    with TestClient(server, base_url="http://localhost") as client:
        headers = client.get("/").headers
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["content-security-policy"] == "frame-ancestors 'self'"
