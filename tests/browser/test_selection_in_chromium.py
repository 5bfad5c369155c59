from __future__ import annotations

import csv
import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import NARROW, serving, settled, visitor

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def own_address(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a demo collection of this module's own: its pictures are removed and sent to clusters."""
    own = tmp_path_factory.mktemp("selection") / "data"
    shutil.copytree(demo_data, own)
    with serving(own) as address:
        yield address


def search(page: Page, address: str) -> None:
    page.goto(f"{address}/search?q=dog")
    page.locator(".frame").first.wait_for()
    settled(page)


def picture(page: Page, position: int) -> Locator:
    return page.locator(".open").nth(position - 1)


def expect_selected(page: Page, count: int) -> None:
    expect(page.get_by_text(f"{count} selected")).to_be_visible()
    expect(page.locator(".frame.picked")).to_have_count(count)
    settled(page)


def test_clicks_shift_and_the_bar_select_pictures_without_opening_them(browser: Browser, own_address: str) -> None:
    with visitor(browser) as page:
        search(page, own_address)
        page.get_by_role("button", name="Select").click()
        expect_selected(page, 0)
        picture(page, 2).click()
        expect_selected(page, 1)
        picture(page, 5).click(modifiers=["Shift"])
        expect_selected(page, 4)
        page.get_by_role("button", name="Select all 24").click()
        expect_selected(page, 24)
        page.get_by_role("button", name="Clear", exact=True).click()
        expect_selected(page, 0)
        page.get_by_role("button", name="Done").click()
        expect(page.get_by_text("0 selected")).to_have_count(0)
        picture(page, 2).click()
        expect(page.get_by_role("dialog")).to_be_visible()


def test_pictures_are_selected_by_keyboard_alone(browser: Browser, own_address: str) -> None:
    with visitor(browser) as page:
        search(page, own_address)
        picture(page, 1).focus()
        page.keyboard.press("x")
        expect_selected(page, 1)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        expect_selected(page, 2)
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.keyboard.press("Control+a")
        expect_selected(page, 24)
        page.keyboard.press("Escape")
        expect_selected(page, 0)


def test_the_bar_stays_in_sight_and_covers_no_picture_for_good_on_a_phone(browser: Browser, own_address: str) -> None:
    with visitor(browser, NARROW) as page:
        search(page, own_address)
        page.get_by_role("button", name="Select").tap()
        page.get_by_role("button", name="Done").wait_for()  # until then a tap opens a picture
        settled(page)
        picture(page, 1).tap()
        picture(page, 2).tap()
        expect_selected(page, 2)
        last = page.locator(".frame").last
        page.get_by_test_id("stMain").evaluate("main => main.scrollTo(0, main.scrollHeight)")
        bar, tile = page.locator(".st-key-selection_bar").bounding_box(), last.bounding_box()
        assert bar is not None
        assert tile is not None
        assert bar["y"] + bar["height"] == pytest.approx(844, abs=1)
        assert tile["y"] + tile["height"] <= bar["y"]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_selection_is_exported_as_a_table_and_as_files(browser: Browser, own_address: str, tmp_path: Path) -> None:
    with visitor(browser) as page:
        search(page, own_address)
        for position in (1, 3):
            picture(page, position).focus()
            page.keyboard.press("x")
        expect_selected(page, 2)
        titles = page.locator(".frame .title").all_inner_texts()
        page.get_by_role("button", name="Export").click()
        with page.expect_download() as table:
            page.get_by_role("button", name="Table of 2 pictures (CSV)").click()
        rows = list(csv.DictReader(io.StringIO(table.value.path().read_text("utf-8-sig"))))
        assert [row["title"] for row in rows] == [titles[0], titles[2]]
        page.get_by_role("button", name="Prepare a ZIP file of 2").click()
        with page.expect_download() as archive:
            page.get_by_role("button", name="Download ZIP file").click()
        assert "manifest.csv" in zipfile.ZipFile(archive.value.path()).namelist()


def test_the_selection_goes_to_a_cluster_of_the_draft(browser: Browser, own_address: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{own_address}/clusters")
        expect(page.get_by_text("clusters ·").first).to_be_visible()
        search(page, own_address)
        picture(page, 1).focus()
        page.keyboard.press("x")
        expect_selected(page, 1)
        page.get_by_role("button", name="Send to a cluster").click()
        page.get_by_role("button", name="Send 1 picture").click()
        expect(page.get_by_text("1 picture sent to a new cluster in your draft.")).to_be_visible()
        page.get_by_role("link", name="Clusters").click()
        expect(page.get_by_text("1 change not saved")).to_be_visible()


def test_the_selection_goes_to_the_bin_and_comes_back(browser: Browser, own_address: str) -> None:
    with visitor(browser) as page:
        search(page, own_address)
        first = page.locator(".frame .title").first.inner_text()
        picture(page, 1).focus()
        page.keyboard.press("x")
        expect_selected(page, 1)
        page.get_by_role("button", name="Move to the bin").click()
        expect(page.get_by_text("1 picture removed from demo")).to_be_visible()
        expect(page.locator(".frame .title").first).not_to_have_text(first)
        page.get_by_role("button", name="Undo").click()
        expect(page.locator(".frame .title").first).to_have_text(first)
