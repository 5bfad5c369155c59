"""Without an identity provider: a browser remembers the name and the key, and nothing is saved without a name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.app import App, open_app
from core.settings import Settings
from tests.browser.conftest import WIDE, serving

KEY = "a key for curators"


@pytest.fixture(scope="module")
def data(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(demo_data, tmp_path_factory.mktemp("remembering") / "data"))


@pytest.fixture(scope="module")
def app(data: Path) -> App:
    return open_app(Settings(data=data, model="bundled", model_is_explicit=True))


@pytest.fixture(scope="module")
def keyed(data: Path) -> Iterator[str]:
    """The address of a server with a curator key."""
    with serving(data, CONTACTSHEET_CURATOR_KEY=KEY) as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    width, height = WIDE
    context = browser.new_context(viewport={"width": width, "height": height})
    yield context
    context.close()


def session_cookies(context: BrowserContext) -> list[str]:
    return [str(c["value"]) for c in context.cookies() if c["name"] == "contact_sheet_session"]


def enter(page: Page, label: str, text: str) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(text)
    field.press("Enter")


def test_name_and_key_are_there_again_after_a_reload_until_the_browser_is_told_to_forget(
    keyed: str, context: BrowserContext
) -> None:
    page = context.new_page()
    page.goto(f"{keyed}/library")
    expect(page.get_by_text("Only curators may add pictures")).to_be_visible()
    page.get_by_role("button", name="Sign in").click()
    with page.expect_response("**/session") as claimed:
        enter(page, "Your name", "Ada")
    assert claimed.value.status == 204
    without_key = session_cookies(context)
    with page.expect_response("**/session"):
        enter(page, "Curator key", KEY)
    expect(page.get_by_text("Only curators may add pictures")).to_have_count(0)
    assert all(c["httpOnly"] and c["sameSite"] == "Lax" for c in context.cookies() if "contact" in str(c["name"]))
    assert len(session_cookies(context)) == len(without_key) == 1
    assert session_cookies(context) != without_key  # whoever knew the first one has gained nothing

    page.reload()
    expect(page.get_by_role("button", name="Ada")).to_be_visible()
    expect(page.get_by_text("Only curators may add pictures")).to_have_count(0)
    other = context.new_page()
    other.goto(f"{keyed}/clusters")
    expect(other.get_by_role("button", name="Save", exact=True)).to_be_visible()

    page.get_by_role("button", name="Ada").click()
    page.get_by_role("button", name="Forget me in this browser").click()
    expect(page.get_by_text("Only curators may add pictures")).to_be_visible()
    other.reload()
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    expect(other.get_by_role("button", name="Save", exact=True)).to_have_count(0)


def test_no_script_of_a_page_can_read_the_cookie(keyed: str, context: BrowserContext) -> None:
    page = context.new_page()
    page.goto(f"{keyed}/library")
    page.get_by_role("button", name="Sign in").click()
    with page.expect_response("**/session"):
        enter(page, "Your name", "Ada")
    (value,) = session_cookies(context)
    assert "contact_sheet_session" not in page.evaluate("document.cookie")
    assert value not in page.content()


def test_saving_asks_for_a_name_and_remembers_it(data: Path, app: App, context: BrowserContext) -> None:
    with serving(data) as address:
        page = context.new_page()
        page.goto(f"{address}/clusters")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("button", name="Save revision").click()
        expect(page.get_by_text("Give your name first.")).to_be_visible()
        page.get_by_role("textbox", name="Your name").fill("Ada")
        page.get_by_role("textbox", name="Note about this revision").fill("the first")
        page.get_by_role("button", name="Save revision").dblclick()  # one click is enough, and two save once
        expect(page.get_by_text("Saved as revision")).to_be_visible()
        expect(page.get_by_role("button", name="Ada")).to_be_visible()
        newest = app.clusters.revisions.newest("demo")
        assert newest is not None
        assert (newest.author, newest.note, newest.parent) == ("Ada", "the first", None)
        page.reload()
        expect(page.get_by_role("button", name="Ada")).to_be_visible()
