"""A damaged collection among others: backed up, damaged and restored through the page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.app import open_app
from core.ingest.sources import demo
from core.settings import Settings
from tests.browser.conftest import NARROW, WIDE, serving, settled, visitor

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def data(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the demo collection, and with `harbour`: four photographs."""
    folder = tmp_path_factory.mktemp("damage")
    data, pictures = folder / "data", folder / "harbour"
    shutil.copytree(demo_data / "collections", data / "collections")
    pictures.mkdir()
    for number, path in enumerate(demo.photographs()[:40:10]):
        shutil.copy(path, pictures / f"photo-{number}.jpg")
    open_app(Settings(data=data, model="bundled", model_is_explicit=True)).ingest(pictures, "harbour")
    return data


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[str]:
    with serving(data, CONTACTSHEET_BACKUP=str(data.parent / "backups")) as address:
        yield address


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.parametrize(("size", "backups"), [(WIDE, "1 backup"), (NARROW, "2 backups")])
def test_a_collection_is_backed_up_and_restored_through_the_page(
    browser: Browser, server: str, data: Path, size: tuple[int, int], backups: str
) -> None:
    with visitor(browser, size) as page:
        page.goto(f"{server}/library")
        page.get_by_role("button", name="Back up now").click()
        expect(page.get_by_text(backups, exact=True)).to_be_visible()
        expect(page.get_by_text("backing up · done").first).to_be_visible()
        expect(page.get_by_text("verified when it was made")).to_be_visible()
        settled(page)
        assert fits(page)
        (data / "collections" / "harbour" / "collection.json").write_text("{")
        page.reload()
        expect(page.locator(".st-key-restore_popover_harbour")).to_be_visible()
        expect(page.locator(".st-key-open_demo")).to_be_visible()
        expect(page.locator(".st-key-open_harbour")).to_have_count(0)
        settled(page)
        assert fits(page)
        page.locator(".st-key-restore_popover_harbour").get_by_role("button").click()
        page.get_by_role("button", name="Restore collection").click()
        expect(page.locator(".st-key-open_harbour")).to_be_visible()
        expect(page.get_by_text("damaged", exact=True)).to_have_count(0)
        assert fits(page)
        page.goto(f"{server}/search?collection=harbour")
        expect(page.locator(".frame")).to_have_count(4)
