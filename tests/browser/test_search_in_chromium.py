from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import NARROW, WIDE, serving, settled, visitor

pytestmark = pytest.mark.browser


def titles(page: Page) -> list[str]:
    page.locator(".frame").first.wait_for()
    return page.locator(".frame .title").all_inner_texts()


def ask(page: Page, words: str) -> None:
    page.get_by_label("What should the picture show?").fill(words)
    page.keyboard.press("Enter")
    expect(page.get_by_text("the best matches first")).to_be_visible()
    page.locator(".frame .similarity").first.wait_for()


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_query_shows_the_right_pictures_on_top(browser: Browser, address: str, size: tuple[int, int]) -> None:
    with visitor(browser, size) as page:
        page.goto(address)
        assert len(titles(page)) == 24
        ask(page, "a red flower")
        top = " ".join(titles(page)[:5]).lower()
        assert any(word in top for word in ("rose", "poppy", "tulip", "flower", "anemone", "carnation"))
        assert "q=a+red+flower" in page.url or "q=a%20red%20flower" in page.url
        loaded = page.locator(".frame img").first.evaluate("i => i.decode().then(() => i.naturalWidth)")
        assert loaded > 100
        assert page.locator(".frame img").first.get_attribute("alt") == titles(page)[0]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("link", ["", "?q=a+red+flower"])
def test_pictures_begin_high_up_below_one_line_of_filters_cut_and_count(
    browser: Browser, address: str, link: str
) -> None:
    with visitor(browser, (1280, 800)) as page:
        page.goto(f"{address}/search{link}")
        titles(page)
        settled(page)
        assert top_of(page.locator(".frame").first) <= 300
        count = page.get_by_text("24 of")
        controls = [page.get_by_role("button", name="Filters"), *page.get_by_role("button", name="Similarity").all()]
        assert len(controls) == (2 if link else 1)
        assert all(abs(middle_of(control) - middle_of(count)) < 12 for control in controls)


def top_of(part: Locator) -> float:
    box = part.bounding_box()
    assert box is not None
    return box["y"]


def middle_of(part: Locator) -> float:
    box = part.bounding_box()
    assert box is not None
    return box["y"] + box["height"] / 2


def test_a_deep_link_on_a_fresh_server_opens_the_search(browser: Browser, demo_data: Path) -> None:
    with serving(demo_data) as fresh, visitor(browser) as page:
        page.goto(f"{fresh}/search?q=kitten")
        assert "itten" in titles(page)[0]
        expect(page.get_by_text("Page not found")).to_have_count(0)
        assert page.get_by_label("What should the picture show?").input_value() == "kitten"


def test_pictures_travel_as_files_never_as_data_urls(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(address)
        titles(page)
        sources = page.locator(".frame img").evaluate_all("images => images.map(i => i.src)")
        assert all("/images/" in source for source in sources)


def test_the_keyboard_moves_between_pictures_and_opens_one(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{address}/?q=dog")
        names = titles(page)
        page.locator(".open").first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        expect(dialog.get_by_text(names[1]).first).to_be_visible()
        expect(dialog.get_by_text("Licence")).to_be_visible()
        assert "photo=" in page.url
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        page.wait_for_url(lambda url: "photo=" not in url)


def test_a_link_to_an_open_picture_opens_it(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{address}/?q=dog")
        names = titles(page)
        page.locator(".open").first.click()
        page.get_by_role("dialog").wait_for()
        link = page.url
    with visitor(browser) as page:
        page.goto(link)
        expect(page.get_by_role("dialog").get_by_text(names[0]).first).to_be_visible()


def test_more_like_this_searches_by_the_picture(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{address}/?q=golden+retriever+dog")
        first = titles(page)[0]
        page.locator(".frame").first.hover()
        page.locator(".similar").first.click()
        expect(page.get_by_text("Pictures like")).to_be_visible()
        expect(page.locator(".frame .title").first).not_to_have_text(first)
        assert "like=" in page.url
        assert page.get_by_label("What should the picture show?").input_value() == ""
        page.get_by_role("button", name="Clear", exact=True).click()
        expect(page.get_by_text("The newest 24 of")).to_be_visible()


def test_an_example_is_one_click_away(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(address)
        example = page.get_by_test_id("stButtonGroup").locator("button").first
        words = example.inner_text()
        example.click()
        expect(page.get_by_text("the best matches first")).to_be_visible()
        assert page.get_by_label("What should the picture show?").input_value() == words


def test_show_more_adds_a_page_and_the_link_keeps_it(browser: Browser, address: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{address}/?q=bird")
        titles(page)
        page.get_by_role("button", name="Show more").click()
        expect(page.get_by_text("48 of")).to_be_visible()
        expect(page.locator(".frame")).to_have_count(48)
        assert "n=48" in page.url


def test_the_first_visit_shows_the_demo_collection_being_built(browser: Browser, unfinished_demo_data: Path) -> None:
    with serving(unfinished_demo_data) as fresh, visitor(browser) as page:
        page.goto(fresh)
        expect(page.get_by_text("The demo collection is being built. Embedding")).to_be_visible()
        expect(page.get_by_text("images/s")).to_be_visible()
        page.reload()
        expect(page.get_by_text("The demo collection is being built. Embedding")).to_be_visible()
        page.set_default_timeout(240_000)
        assert len(titles(page)) == 24
