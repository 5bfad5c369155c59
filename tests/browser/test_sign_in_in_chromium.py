"""Signing in with a real OpenID provider, before two server processes that share a data folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.access import OPERATOR
from core.app import App, open_app
from core.settings import Settings
from tests.browser.conftest import WIDE, free_port, serving
from tests.fakes.oidc_provider import ROLES, oidc_provider, write_secrets


@dataclass(frozen=True)
class Servers:
    """Two servers of one data folder; people sign in at the first one."""

    app: App
    first: str
    second: str


@pytest.fixture(scope="module")
def servers(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("sign-in")
    data, port, provider_port = Path(shutil.copytree(demo_data, folder / "data")), free_port(), free_port()
    with ExitStack() as running:
        provider = running.enter_context(oidc_provider(provider_port))
        secrets = write_secrets(folder / "secrets.toml", provider, f"http://localhost:{port}")
        settings = {"CONTACTSHEET_SECRETS": str(secrets), **ROLES}
        ports = (port, free_port())
        for number in ports:
            running.enter_context(serving(data, number, **settings))
        app = open_app(Settings(data=data, model="bundled", model_is_explicit=True))
        yield Servers(app, *(f"http://localhost:{number}" for number in ports))


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    width, height = WIDE
    context = browser.new_context(viewport={"width": width, "height": height})
    yield context
    context.close()


def sign_in(context: BrowserContext, page_address: str, who: str) -> Page:
    """Open a page as a stranger, sign in from there, and come back to it."""
    page = context.new_page()
    page.goto(page_address)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name=who, exact=True).click()
    page.wait_for_url(f"{page_address.partition('?')[0]}*")
    return page


def save(page: Page, note: str) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_label("Note about this revision").fill(note)
    page.get_by_role("button", name="Save revision").click()


def test_a_curator_signs_in_saves_under_their_own_name_and_a_saved_cookie_ends_with_signing_out(
    servers: Servers, context: BrowserContext, browser: Browser
) -> None:
    page = sign_in(context, f"{servers.first}/clusters", "ann")
    page.get_by_role("button", name="Ann Lee").click()
    expect(page.get_by_text("Signed in as a curator.")).to_be_visible()
    page.keyboard.press("Escape")
    save(page, "as ann")
    expect(page.get_by_text("Saved as revision")).to_be_visible()
    newest = servers.app.clusters.revisions.newest("demo")
    assert newest is not None
    assert (newest.author, newest.note) == ("Ann Lee", "as ann")

    elsewhere = context.new_page()
    elsewhere.goto(f"{servers.second}/library")
    expect(elsewhere.get_by_role("button", name="Ann Lee")).to_be_visible()
    expect(elsewhere.get_by_text("Only curators may")).to_have_count(0)

    saved = context.cookies()
    assert {c["name"] for c in saved} >= {"_streamlit_user", "contact_sheet_session"}
    assert all(c["httpOnly"] for c in saved if c["name"] in ("_streamlit_user", "contact_sheet_session"))
    page.get_by_role("button", name="Ann Lee").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()  # the provider's own page
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()

    expect(elsewhere.get_by_text("You were signed out.")).to_be_visible()  # a tab of the other server, still open
    expect(elsewhere.get_by_text("Only curators may add pictures")).to_be_visible()

    thief = browser.new_context()
    thief.add_cookies(saved)  # type: ignore[arg-type]
    for address in (servers.first, servers.second):
        page = thief.new_page()
        page.goto(f"{address}/library")
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        expect(page.get_by_text("Only curators may add pictures")).to_be_visible()
    thief.close()


def test_an_address_that_is_not_verified_makes_nobody_an_admin(servers: Servers, context: BrowserContext) -> None:
    page = sign_in(context, f"{servers.first}/library", "bob")
    page.get_by_role("button", name="Bob").click()
    expect(page.get_by_text("Signed in as a viewer.")).to_be_visible()
    expect(page.get_by_text("Only curators may add pictures")).to_be_visible()


def test_an_admin_ends_a_session_and_its_open_page_is_a_viewers_at_once(
    servers: Servers, context: BrowserContext, browser: Browser
) -> None:
    ann = sign_in(context, f"{servers.first}/library", "ann")
    expect(ann.get_by_text("Only curators may")).to_have_count(0)
    session = next(s for s in servers.app.sessions.live(OPERATOR) if s.account and s.account.name == "Ann Lee")

    with browser.new_context() as other:
        cleo = sign_in(other, f"{servers.first}/metrics", "cleo")
        cleo.get_by_text("Sessions", exact=True).click()
        cleo.locator(f".st-key-end_{session.id} button").first.click()
        expect(cleo.locator(f".st-key-end_{session.id}")).to_have_count(0)
    assert servers.app.sessions.get(session.id) is None
    ann.reload()
    expect(ann.get_by_text("Only curators may add pictures")).to_be_visible()


def test_whoever_denies_at_the_provider_stays_a_viewer(servers: Servers, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{servers.first}/library")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    assert "contact_sheet_session" not in {c["name"] for c in context.cookies()}
