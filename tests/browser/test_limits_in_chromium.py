"""Limits as a visitor of a real server meets them: of searches, of Gemini's budget, and of uploads."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, WIDE, serving, settled, visitor
from tests.fakes.gemini import MockGeminiServer

pytestmark = pytest.mark.browser
KEY, CURATOR_KEY = "a-key-that-no-page-may-show", "correct horse"
PUT = """([path, size]) => fetch(path, {
    method: "PUT",
    body: new Blob([new Uint8Array(size)]),
    headers: {"X-Xsrftoken": decodeURIComponent((document.cookie.match(/_streamlit_xsrf=([^;]*)/) || ["", ""])[1])},
}).then(async answer => [answer.status, await answer.text()])"""


@pytest.fixture(scope="module")
def limited(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the curator key, where visitors have no share of Gemini's budget and one search a minute."""
    data = tmp_path_factory.mktemp("limited") / "data"
    shutil.copytree(demo_data, data, ignore=shutil.ignore_patterns("*.db*", "jobs", "uploads*"))
    with MockGeminiServer(key=KEY) as server:
        settings = {
            "GEMINI_API_KEY": KEY,
            "CONTACTSHEET_GEMINI_ENDPOINT": server.address,
            "NO_PROXY": "127.0.0.1",
            "CONTACTSHEET_CURATOR_KEY": CURATOR_KEY,
            "CONTACTSHEET_SEARCHES_PER_MINUTE": "1",
            "CONTACTSHEET_VISITOR_DAILY_USD": "0",
            "CONTACTSHEET_QUERY_PICTURE_MB": "1",
        }
        with serving(data, **settings) as address:
            yield address
        assert server.ledger == []


def search(page: Page, query: str, earlier: int) -> None:
    """Search, and wait until the page has answered it below so many earlier searches."""
    page.get_by_label("What should the picture show?").fill(query)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Again", exact=True)).to_have_count(earlier)
    settled(page)


def fits(page: Page) -> None:
    """The page as it is fits into a wide and a narrow window."""
    for size in (NARROW, WIDE):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_who_has_reached_a_limit_is_told_which_and_for_how_long(browser: Browser, limited: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{limited}/search")
        settled(page)
        search(page, "a bird", 0)
        expect(page.get_by_text("your share of Gemini for today is used up")).to_be_visible()
        expect(page.locator(".sheet:not(.small) .frame")).to_have_count(24)
        fits(page)
        search(page, "a boat", 1)
        expect(page.get_by_text("too many searches this minute to ask Gemini")).to_be_visible()
        expect(page.get_by_text(re.compile("ask again in [01]:[0-5][0-9]"))).to_be_visible()
        fits(page)
        search(page, "a castle", 2)
        search(page, "a red flower", 3)
        expect(page.get_by_text(re.compile("3 searches a minute are the limit: try again in [0-9]+ s"))).to_be_visible()
        expect(page.get_by_role("button", name="Search again")).to_be_visible()
        fits(page)


def test_a_viewers_session_uploads_a_picture_to_search_by_and_nothing_larger_from_no_page(
    browser: Browser, limited: str
) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (320, 240), "green").save(picture, "PNG")
    with visitor(browser) as page:
        page.goto(f"{limited}/library")
        settled(page)
        expect(page.get_by_text("enter the curator key")).to_be_visible()
        page.get_by_role("link", name="Search").first.click()
        settled(page)
        page.get_by_role("button", name="Picture", exact=True).click()
        expect(page.get_by_text("At most 1 MB and 64 megapixels.")).to_be_visible()
        file = {"name": "boat.png", "mimeType": "image/png", "buffer": picture.getvalue()}
        with page.expect_response(lambda r: r.request.method == "PUT" and "upload_file" in r.url) as upload:
            page.locator('input[type="file"]').first.set_input_files(file)
        assert upload.value.status == 204
        session = upload.value.url.rpartition("/")[0]
        page.get_by_role("link", name="Library").first.click()
        settled(page)
        status, text = page.evaluate(PUT, [f"{session}/another", 3_000_000])
        assert (status, "the limit is 1,048,576" in text) == (413, True)
        status, text = page.evaluate(PUT, [session.rpartition("/")[0] + "/no-session/f", 1000])
        assert (status, "may upload nothing" in text) == (403, True)
