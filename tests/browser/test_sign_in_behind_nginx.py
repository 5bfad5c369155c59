"""Signing in where docs/sharing.md is followed: nginx with TLS before the server, at the top and below a path."""

from __future__ import annotations

import http.client
import shutil
import ssl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, expect

from core.access import OPERATOR
from core.app import App, open_app
from core.records.sessions import BrowserSession
from core.settings import Settings
from tests.browser.conftest import TIMEOUT_MS, choose_collection, free_port, serving
from tests.fakes.nginx import certificate, documented_location, nginx
from tests.fakes.oidc_provider import ANN, ROLES, oidc_provider, write_secrets

pytestmark = pytest.mark.browser

NAME = "photos.localhost"  # browsers ask this computer for it, but it is none of this computer's own names
SIGN_IN_COOKIES = ("_streamlit_user", "contact_sheet_session")
# What providers name groups by: cookies become larger than nginx, and any websocket, lets through.
MANY_GROUPS = [str(uuid.uuid5(uuid.NAMESPACE_DNS, str(number))) for number in range(200)]
FORGED = "203.0.113.9"


@dataclass(frozen=True)
class Shared:
    """A server behind nginx: its App, nginx's port, and the path that the server lies below."""

    app: App
    port: int
    base: str

    @property
    def address(self) -> str:
        return f"https://{NAME}:{self.port}{self.base}"

    def session(self) -> BrowserSession | None:
        """The only session there is."""
        found = self.app.sessions.live(OPERATOR)
        assert len(found) <= 1
        return found[0] if found else None


@pytest.fixture(scope="module", params=["", "gallery"], ids=["at the top", "below a path"])
def shared(
    request: pytest.FixtureRequest, demo_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shared]:
    folder, base = tmp_path_factory.mktemp("nginx"), f"/{request.param}" if request.param else ""
    data, port, behind, provider_port = Path(shutil.copytree(demo_data, folder / "data")), *(free_port() for _ in "abc")
    with ExitStack() as running:
        provider = running.enter_context(oidc_provider(provider_port, ANN | {"groups": [*ANN["groups"], *MANY_GROUPS]}))
        secrets = write_secrets(folder / "secrets.toml", provider, f"https://{NAME}:{port}{base}")
        tls = certificate(folder, NAME)
        lines = documented_location(behind).replace("location / {", f"location {base}/ {{")
        block = f"server {{ listen 127.0.0.1:{port} ssl; server_name {NAME}; {tls} {lines} }}"
        running.enter_context(nginx(folder, {port: block}))
        settings = {
            "CONTACTSHEET_HOSTS": f"localhost,127.0.0.1,{NAME}",
            "CONTACTSHEET_CLIENT_HEADER": "X-Real-IP",
            "CONTACTSHEET_SECRETS": str(secrets),
            "STREAMLIT_SERVER_BASE_URL_PATH": request.param,
            **ROLES,
        }
        running.enter_context(serving(data, behind, **settings))
        app = open_app(Settings(data=data, model="bundled", model_is_explicit=True))
        yield Shared(app, port, base)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(ignore_https_errors=True, extra_http_headers={"X-Real-IP": FORGED})
    context.set_default_timeout(TIMEOUT_MS)
    yield context
    context.close()


def test_a_curator_signs_in_over_tls_uploads_and_signs_out(
    shared: Shared, context: BrowserContext, tmp_path: Path
) -> None:
    page, websockets = context.new_page(), set[str]()
    page.on("websocket", lambda socket: websockets.add(socket.url.partition("/_stcore")[0]))
    page.goto(f"{shared.address}/library")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="ann", exact=True).click()
    page.wait_for_url(f"{shared.address}/library")
    expect(page.get_by_role("button", name="Ann Lee")).to_be_visible()
    assert websockets == {shared.address.replace("https", "wss")}

    large = tmp_path / "large.png"  # more than nginx lets through by itself
    Image.effect_noise((1200, 1200), 90).save(large)
    assert large.stat().st_size > 1_000_000
    choose_collection(page, "uploads")
    page.locator("input[type=file]").set_input_files(large)
    page.get_by_role("button", name="Add to collection").click()
    expect(page.get_by_text("1 added, 0 known already").first).to_be_visible()

    cookies = {cookie["name"]: cookie for cookie in context.cookies() if cookie["domain"] == NAME}
    assert [name for name, cookie in cookies.items() if not cookie["secure"]] == []
    assert cookies["contact_sheet_session"]["path"] == (shared.base or "/")
    session = shared.session()
    assert session is not None
    assert session.visitor == "127.0.0.1"  # not what the browser says

    page.get_by_role("button", name="Ann Lee").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()  # the provider's own page
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    assert shared.session() is None
    assert {entry.action for entry in shared.app.audit.entries(OPERATOR)} == {"sign in", "add pictures", "sign out"}
    assert not {cookie["name"] for cookie in context.cookies()} & set(SIGN_IN_COOKIES)


def test_a_visitor_counts_by_the_address_that_nginx_saw_whatever_they_send(shared: Shared) -> None:
    forged = dict.fromkeys(("X-Real-IP", "X-Forwarded-For", "X-Contact-Sheet-Visitor"), FORGED)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", shared.port, source_address=("127.0.0.5", 0), context=ssl._create_unverified_context()
    )
    denied = f"{shared.base}/oauth2callback?error=access_denied"
    connection.request("GET", denied, headers={"Host": f"{NAME}:{shared.port}", **forged})
    connection.getresponse().read()
    connection.close()
    entry = next(iter(shared.app.audit.entries(OPERATOR)))
    assert (entry.action, entry.target, entry.visitor) == ("sign-in failed", "access_denied", "127.0.0.5")
