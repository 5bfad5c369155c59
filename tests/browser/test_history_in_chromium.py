from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import settled, visitor

pytestmark = pytest.mark.browser
BOX = "What should the picture show?"
# Longer than a pause in typing may last (TYPING_MS of pages/ui/history.js); `ask` moves the page's clock on by it.
PAUSE_MS = 6000


def ask(page: Page, words: str) -> str:
    """Search for words, some time after the last search; returns the title of the first picture."""
    page.evaluate(f"() => {{ const now = Date.now.bind(Date); Date.now = () => now() + {PAUSE_MS} }}")
    page.get_by_label(BOX).fill(words)
    page.keyboard.press("Enter")
    return first_title(page)


def first_title(page: Page) -> str:
    """The title of the first result, once there are results."""
    page.locator(".frame .similarity").first.wait_for()
    page.wait_for_timeout(300)
    settled(page)
    return page.locator(".frame .title").first.inner_text()


def expect_search(page: Page, words: str, first: str) -> None:
    """The page has searched for these words and found this picture first."""
    expect(page.locator(".frame .title").first).to_have_text(first)
    expect(page.get_by_label(BOX)).to_have_value(words)
    expect(page.get_by_role("dialog")).to_have_count(0)
    settled(page)


def test_back_and_forward_walk_through_searches_opened_pictures_and_pages(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(address)
        page.locator(".frame").first.wait_for()
        newest = page.locator(".frame .title").first.inner_text()
        dog = ask(page, "dog")
        flower = ask(page, "red flower")
        assert len({newest, dog, flower}) == 3
        before = page.evaluate("history.length")
        page.locator(".open").nth(1).click()
        page.get_by_role("dialog").wait_for()
        settled(page)
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        expect_search(page, "red flower", flower)
        page.get_by_role("link", name="Clusters").click()
        page.get_by_role("heading", name="Clusters").wait_for()
        settled(page)
        assert page.evaluate("history.length") == before + 3
        page.go_back()
        expect_search(page, "red flower", flower)
        page.go_back()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.go_back()
        expect_search(page, "red flower", flower)
        page.go_back()
        expect_search(page, "dog", dog)
        page.go_back()
        expect_search(page, "", newest)
        for _ in range(2):
            page.go_forward()
        expect_search(page, "red flower", flower)


def test_back_takes_a_filter_off_and_the_bare_address_is_no_trap(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto("about:blank")
        page.goto(f"{address}/?q=dog")
        dog = first_title(page)
        page.get_by_role("button", name="Filters").click()
        page.get_by_role("button", name="portrait").click()
        expect(page.get_by_role("button", name="Filters · 1")).to_be_visible()
        settled(page)
        page.go_back()
        expect(page.get_by_role("button", name="Filters · 1")).to_have_count(0)
        page.keyboard.press("Escape")
        expect_search(page, "dog", dog)
        page.go_back()
        assert page.url == "about:blank"


def test_moving_the_floor_is_no_new_entry(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{address}/search?q=dog")
        first_title(page)
        before = page.evaluate("history.length")
        page.get_by_role("button", name="Similarity").click()
        page.get_by_role("slider").focus()
        for _ in range(3):
            page.keyboard.press("ArrowRight")
        expect(page.get_by_role("button", name="Similarity · 0.03")).to_be_visible()
        settled(page)
        assert "floor=0.03" in page.url
        assert page.evaluate("history.length") == before


def test_the_link_is_copied_or_shown_to_be_copied(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{address}/search?q=dog")
        first_title(page)
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('denied')) }")
        page.get_by_role("button", name="Copy link").click()
        shown = page.get_by_label("Address to copy")
        expect(shown).to_be_focused()
        assert shown.input_value() == page.url
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.reload()
        page.get_by_role("button", name="Copy link").click()
        expect(page.get_by_role("button", name="Link copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == page.url
