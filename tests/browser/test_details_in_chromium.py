from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, WIDE, settled, visitor

pytestmark = pytest.mark.browser


def open_first(page: Page, address: str) -> list[str]:
    """Open the first picture of a search; returns the titles of all."""
    page.goto(f"{address}/search?q=dog")
    page.locator(".frame").first.wait_for()
    settled(page)
    titles = page.locator(".frame .title").all_inner_texts()
    page.locator(".open").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name=titles[0])).to_be_visible()
    settled(page)
    return titles


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_metadata_is_beside_the_picture_where_there_is_room(
    browser: Browser, address: str, size: tuple[int, int]
) -> None:
    with visitor(browser, size) as page:
        titles = open_first(page, address)
        picture = page.locator(".viewer .stage").bounding_box()
        words = page.get_by_role("dialog").get_by_role("heading", name=titles[0]).bounding_box()
        assert picture is not None and words is not None
        if size == WIDE:
            assert words["x"] >= picture["x"] + picture["width"]
            assert words["y"] < picture["y"] + picture["height"] / 4
        else:
            assert words["y"] >= picture["y"] + picture["height"]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_next_and_previous_by_keys_and_buttons_and_where_focus_returns(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        titles = open_first(page, address)
        dialog = page.get_by_role("dialog")
        for key, title in (("ArrowRight", titles[1]), ("j", titles[2]), ("k", titles[1])):
            page.keyboard.press(key)
            expect(dialog.get_by_role("heading", name=title)).to_be_visible()
        dialog.get_by_role("button", name="Next picture").click()
        expect(dialog.get_by_role("heading", name=titles[2])).to_be_visible()
        expect(dialog.get_by_text("3 of 24")).to_be_visible()
        settled(page)
        link = page.url
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(page.locator(".open").nth(2)).to_be_focused()
        assert "photo=" not in page.url
        page.goto(link)
        expect(page.get_by_role("dialog").get_by_role("heading", name=titles[2])).to_be_visible()
        expect(page.get_by_text("3 of 24")).to_be_visible()


def test_full_size_shows_the_original_and_escape_closes_it_alone(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        open_first(page, address)
        page.get_by_role("button", name="Full size").click()
        whole = page.locator(".whole")
        expect(whole).to_be_visible()
        assert whole.evaluate("image => image.decode().then(() => image.src.endsWith('/original'))")
        page.keyboard.press("Escape")
        expect(whole).to_be_hidden()
        expect(page.get_by_role("dialog").get_by_role("button", name="Next picture")).to_be_visible()


def test_a_swipe_shows_the_next_picture(browser: Browser, address: str) -> None:
    with visitor(browser, NARROW) as page:
        titles = open_first(page, address)
        session = page.context.new_cdp_session(page)
        for kind, points in (
            ("touchStart", [{"x": 300, "y": 300}]),
            ("touchMove", [{"x": 120, "y": 300}]),
            ("touchEnd", []),
        ):
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        expect(page.get_by_role("dialog").get_by_role("heading", name=titles[1])).to_be_visible()
