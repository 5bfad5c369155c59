"""An archive in the browser: its folders, a rescan, what is missing, and finding pictures by year and place."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from core.app import open_app
from core.ingest.sources import demo
from core.settings import Settings
from tests.browser.conftest import NARROW, WIDE, serving, settled, visitor

pytestmark = pytest.mark.browser


@pytest.fixture
def archive(demo_data: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server with a collection `family` of six pictures of 1998 and 1999; its address and the folder."""
    data, folder = Path(shutil.copytree(demo_data, tmp_path / "data")), tmp_path / "archive"
    folder.mkdir()
    lines = ["file,title,date,city,people"]
    for number, path in enumerate(demo.photographs()[:6]):
        shutil.copy(path, folder / f"{number}.jpg")
        lines.append(f"{number}.jpg,Picture {number},{1998 + number % 2}-09,{'Lisbon' if number < 2 else 'Porto'},Ada")
    (tmp_path / "captions.csv").write_text("\n".join(lines))
    app = open_app(Settings(data=data, model="bundled", model_is_explicit=True))
    app.ingest(folder, "family", captions=tmp_path / "captions.csv")
    with serving(data, CONTACTSHEET_ROOTS=str(tmp_path)) as address:
        yield address, folder


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_an_archive_is_followed_and_found_by_year_and_place(
    browser: Browser, archive: tuple[str, Path], size: tuple[int, int]
) -> None:
    address, folder = archive
    (folder / "5.jpg").unlink()
    (folder / "4.jpg").rename(folder / "moved.jpg")
    with visitor(browser, size) as page:
        page.goto(f"{address}/library?collection=family&care=Sources")
        page.get_by_role("button", name="See what would change").click()
        expect(page.get_by_text("1 moved, 1 missing, 4 unchanged")).to_be_visible()
        settled(page)
        page.get_by_role("button", name="Rescan", exact=True).click()
        expect(page.get_by_text("1 moved, 1 missing").last).to_be_visible()
        page.reload()
        expect(page.get_by_text("Missing files")).to_be_visible()
        expect(page.get_by_text(str(folder / "5.jpg"))).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_role("button", name="Move to bin").click()
        page.get_by_role("button", name="Move 1 picture to the bin").click()
        expect(page.get_by_text("1 missing picture moved to the bin of family.")).to_be_visible()

        page.goto(f"{address}/search?collection=family&place=LISBON&people=Grace")
        expect(page.get_by_text("This collection has no person ‘Grace’")).to_be_visible()
        expect(page).to_have_url(re.compile("place=Lisbon"))
        expect(page.locator(".frame")).to_have_count(2)
        settled(page)
        page.get_by_role("button", name="Filters · 1").click()
        page.get_by_label("Taken until").fill("Sept 1998")
        page.get_by_label("Taken until").press("Enter")
        expect(page.locator(".frame")).to_have_count(1)
        page.keyboard.press("Escape")
        page.locator(".frame").first.click()
        details = page.get_by_role("dialog")
        expect(details.get_by_text("September 1998")).to_be_visible()
        expect(details.get_by_text("Lisbon")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
