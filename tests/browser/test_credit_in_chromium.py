from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from core.records.assets import Asset, Location, utc_now
from core.records.descriptions import Description
from core.store.lance.collections import Collections
from tests.browser.conftest import NARROW, WIDE, serving, visitor

pytestmark = pytest.mark.browser
PAGE = "https://unsplash.com/photos/aB-9_x"


@pytest.fixture(scope="module")
def address(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A collection of one photo from Unsplash, with the pixels of a demo photograph."""
    data = tmp_path_factory.mktemp("credit") / "data"
    demo = Collections(demo_data / "collections").open("demo")
    snapshot = demo.snapshot()
    ((_, jpeg),) = demo.assets(snapshot.ids[:1])
    about = Description(title="A hill", author="Jane <b>Doe</b>", licence="Unsplash License")
    photo = Asset("a" * 64, (Location(PAGE, "unsplash"),), about, 400, 300, utc_now())
    Collections(data / "collections").create("lite", demo.model).add([photo], [jpeg], snapshot.vectors[:1])
    with serving(data) as served:
        yield served


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_photo_from_unsplash_names_its_photographer_and_leads_to_its_page(
    browser: Browser, address: str, size: tuple[int, int]
) -> None:
    with visitor(browser, size) as page:
        page.goto(f"{address}/search?collection=lite&q=hill")
        expect(page.locator(".frame .credit")).to_have_text("Photo by Jane <b>Doe</b> on Unsplash")
        page.locator(".frame .open").click()
        link = page.get_by_role("dialog").get_by_role("link", name="Photo by Jane")
        expect(link).to_have_attribute("href", PAGE)
        expect(link).to_have_text("Photo by Jane <b>Doe</b> on Unsplash")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
