from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from core.app import DEMO, open_app
from core.ingest.sources import demo
from core.settings import Settings
from core.store.objects.map_files import MapFiles, StoredMap
from tests.browser.conftest import NARROW, WIDE, serving, settled, visitor

pytestmark = pytest.mark.browser
DRAWN = """
name => { const drawn = document.querySelector(".st-key-map .js-plotly-plot")
          const points = drawn && drawn.data && drawn.data.find(trace => trace.type === "scattergl")
          return points ? points.text.filter(text => text.startsWith(name)).length : -1 }
"""


@pytest.fixture(scope="module")
def server(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the demo collection and its map, and with `holiday`: four photographs, one of them twice."""
    folder = tmp_path_factory.mktemp("care")
    data, pictures = folder / "data", folder / "holiday"
    shutil.copytree(demo_data / "collections", data / "collections")
    pictures.mkdir()
    for number, path in enumerate(demo.photographs()[:40:10]):
        shutil.copy(path, pictures / f"photo-{number}.jpg")
    with Image.open(pictures / "photo-1.jpg") as picture:
        picture.convert("RGB").save(pictures / "photo-1-again.jpg", quality=35)
    app = open_app(Settings(data=data, model="bundled", model_is_explicit=True))
    app.ingest(pictures, "holiday")
    base, sketch = app.clusters.base(DEMO), app.atlas.map(DEMO)
    assert base is not None
    fitted = np.ones(len(sketch.asset_ids), bool)
    MapFiles(data / "maps" / DEMO).put(StoredMap(base.version, sketch.asset_ids, sketch.coordinates, fitted, 0))
    with serving(data) as address:
        yield address


def filter_pictures(page: Page, address: str, words: str) -> None:
    """The pictures of the demo collection with these words in the title, on the Library page."""
    page.goto(f"{address}/library?collection={DEMO}")
    box = page.get_by_label("Title or file name")
    box.wait_for()
    for _ in range(10):  # repeated if the page was still being drawn and ignored it
        settled(page)
        box.fill(words)
        box.press("Enter")
        settled(page)
        page.wait_for_timeout(300)
        if page.locator(".frame").count() < 20:
            return
    pytest.fail(f"the page never looked for {words}")


def count_in_search(page: Page, address: str, title: str) -> int:
    """How many results of a search have this title."""
    page.goto(f"{address}/search?q={title}")
    page.locator(".frame").first.wait_for()
    settled(page)
    return page.locator(".frame .title", has_text=title).count()


def in_clusters_and_map(page: Page, address: str, title: str) -> tuple[int, int]:
    """How many pictures the clusters page counts, and how many of this title its map draws."""
    page.goto(f"{address}/clusters")
    line = page.get_by_text("unclustered")
    line.wait_for()
    settled(page)
    page.wait_for_function(f"({DRAWN})('x') >= 0")
    total = int(line.inner_text().split(" of ")[1].split()[0])
    return total, page.evaluate(DRAWN, title)


@pytest.mark.parametrize(("size", "word"), [(WIDE, "Strawberry"), (NARROW, "Zebra")])
def test_a_removed_picture_disappears_everywhere_and_undo_restores_it(
    browser: Browser, server: str, size: tuple[int, int], word: str
) -> None:
    with visitor(browser, size) as page, visitor(browser) as other:
        filter_pictures(page, server, word)
        frame = page.locator(".frame").first
        title = frame.locator(".title").inner_text()
        before, drawn = in_clusters_and_map(other, server, title)
        assert count_in_search(other, server, title) == drawn == 1
        frame.get_by_role("checkbox").check()
        page.get_by_role("button", name="Remove 1").click()
        page.get_by_role("button", name="Remove pictures").click()
        expect(page.get_by_text(f"1 picture removed from {DEMO}")).to_be_visible()
        expect(page.locator(".frame .title", has_text=title)).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert count_in_search(other, server, title) == 0
        assert in_clusters_and_map(other, server, title) == (before - 1, 0)
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text(f"1 picture put back into {DEMO}")).to_be_visible()
        expect(page.locator(".frame .title", has_text=title)).to_have_count(1)
        assert count_in_search(other, server, title) == 1
        assert in_clusters_and_map(other, server, title) == (before, 1)


def test_a_duplicate_is_moved_to_the_bin_with_one_click_and_restored(browser: Browser, server: str) -> None:
    with visitor(browser, NARROW) as page:
        page.goto(f"{server}/library?collection=holiday&care=Duplicates")
        page.get_by_role("button", name="Look for duplicates").click()
        expect(page.get_by_text("1 group of near-identical")).to_be_visible()
        expect(page.locator(".frame .title").first).to_have_text("photo-1.jpg")
        page.get_by_role("button", name="Remove the other one").click()
        expect(page.get_by_text("1 picture removed from holiday")).to_be_visible()
        page.goto(f"{server}/library?collection=holiday&care=Bin")
        expect(page.locator(".frame .title")).to_have_text(["photo-1-again.jpg"])
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_role("button", name="Put all back").click()
        expect(page.get_by_text("1 picture put back into holiday")).to_be_visible()
        expect(page.get_by_text("The bin is empty")).to_be_visible()


def test_a_collection_is_deleted_once_its_name_is_typed(browser: Browser, server: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{server}/library?collection=holiday&care=Condition")
        page.get_by_role("button", name="Delete the collection").click()
        expect(page.get_by_role("button", name="Delete collection")).to_be_disabled()
        page.get_by_label("Type its name to confirm").fill("holiday")
        page.get_by_label("Type its name to confirm").press("Enter")
        page.get_by_role("button", name="Delete collection").click()
        expect(page.get_by_text("holiday is deleted")).to_be_visible()
        expect(page.locator(".st-key-open_demo")).to_be_visible()
        expect(page.locator(".st-key-open_holiday")).to_have_count(0)
