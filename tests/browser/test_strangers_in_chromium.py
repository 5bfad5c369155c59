"""Web pages of strangers in a real Chromium: under a name that means this computer, and from another local port."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser.conftest import CHROMIUM_OPTIONS, chromium_path, free_port

pytestmark = pytest.mark.browser
STRANGER = "rebind.example"
# Chromium's own protection of local addresses is off: other browsers have none, and it would hide ours.
HIDING = ("LocalNetworkAccessChecks", "PrivateNetworkAccessSendPreflights", "BlockInsecurePrivateNetworkRequests")
UNPROTECTED = "--disable-features=" + ",".join(HIDING)
CONNECT = """address => new Promise(resolve => {
    const socket = new WebSocket(address, ["streamlit"]);
    socket.onopen = () => { socket.close(); resolve("open"); };
    socket.onerror = () => resolve("refused");
})"""
FETCH = """path => fetch(path).then(answer => answer.status)"""


@pytest.fixture(scope="module")
def misled(browser: Browser) -> Iterator[Browser]:
    """A Chromium for which a stranger's name means this computer, as after DNS rebinding."""
    rules = f"--host-resolver-rules=MAP {STRANGER} 127.0.0.1"
    chromium = browser.browser_type.launch(
        executable_path=chromium_path(), args=[*CHROMIUM_OPTIONS, rules, UNPROTECTED]
    )
    yield chromium
    chromium.close()


@pytest.fixture
def page(misled: Browser) -> Iterator[Page]:
    context = misled.new_context()
    yield context.new_page()
    context.close()


def page_of_stranger(page: Page, origin: str) -> Page:
    """The page, showing what a stranger's own server has answered under this origin."""

    def answer(route: Route) -> None:
        route.fulfill(content_type="text/html", body="<title>A page of a stranger</title>")

    page.route(f"{origin}/lure", answer)
    page.goto(f"{origin}/lure")
    return page


def test_a_page_under_a_name_that_is_not_ours_is_refused(page: Page, address: str) -> None:
    answer = page.goto(address.replace("127.0.0.1", STRANGER) + "/clusters")
    assert answer is not None
    assert answer.status == 421
    assert "not reached by that name" in page.inner_text("body")
    answer = page.goto(f"{address}/clusters")
    assert answer is not None
    assert answer.status == 200


def test_a_rebound_page_gets_nothing_of_ours(page: Page, address: str) -> None:
    origin = address.replace("127.0.0.1", STRANGER)
    page_of_stranger(page, origin)
    for path in ("/", "/clusters", "/_stcore/health", "/_stcore/host-config", "/images/demo/x/thumbnail"):
        assert page.evaluate(FETCH, path) == 421
    assert page.evaluate(CONNECT, f"{origin.replace('http', 'ws')}/_stcore/stream") == "refused"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", STRANGER])
def test_a_page_of_another_port_gets_no_websocket(page: Page, address: str, name: str) -> None:
    page_of_stranger(page, f"http://{name}:{free_port()}")
    port = urlsplit(address).port
    for host in ("127.0.0.1", "localhost", STRANGER):
        assert page.evaluate(CONNECT, f"ws://{host}:{port}/_stcore/stream") == "refused"


def test_a_page_of_ours_gets_its_websocket(page: Page, address: str) -> None:
    page_of_stranger(page, address)  # of our origin: the check is not of what it shows
    assert page.evaluate(CONNECT, f"{address.replace('http', 'ws')}/_stcore/stream") == "open"
