from __future__ import annotations

import operator
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from core.app import DEMO, open_app
from core.atlas import service
from core.atlas.fit import frame_map, principal_components
from core.settings import Settings
from core.store.objects.map_files import MapFiles, StoredMap
from pages.clusters.map_view import MAX_POINTS
from tests.benchmarks.planted_collection import create_planted_collection
from tests.browser.conftest import NARROW, TIMEOUT_MS, WIDE, free_port, serving, settled, visitor

pytestmark = pytest.mark.browser
KEY = "a-key-that-no-page-may-show"
MAP = ".st-key-map .js-plotly-plot"
SUMMARY = re.compile(r"(\d+) clusters · (\d+) of 519 unclustered")


@pytest.fixture(scope="module")
def data(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo collection with its dendrogram and a map of its two main axes, which no server has to fit first."""
    copied = tmp_path_factory.mktemp("clusters") / "data"
    shutil.copytree(demo_data / "collections", copied / "collections")
    app = open_app(Settings(data=copied, model="bundled", model_is_explicit=True))
    base, sketch = app.clusters.base(DEMO), app.atlas.map(DEMO)
    assert base is not None
    fitted = np.ones(len(sketch.asset_ids), bool)
    MapFiles(copied / "maps" / DEMO).put(StoredMap(base.version, sketch.asset_ids, sketch.coordinates, fitted, 0))
    return copied


@pytest.fixture(scope="module")
def curated(data: Path) -> Iterator[str]:
    with serving(data) as address:
        yield address


@contextmanager
def curator(browser: Browser, address: str, name: str, view: str = "", size: tuple[int, int] = WIDE) -> Iterator[Page]:
    """A curator on the clusters page who has entered a name, so that drafts are their own."""
    with visitor(browser, size) as page:
        page.goto(f"{address}/clusters?{view}")
        summary(page)
        page.get_by_role("button", name="Your name").click()
        field = page.get_by_role("textbox", name="Your name")
        field.fill(name)
        field.press("Enter")
        expect(page.get_by_role("button", name=name)).to_be_visible()
        page.keyboard.press("Escape")
        settled(page)
        yield page


def summary(page: Page) -> tuple[int, int]:
    """Once the page is drawn: the numbers of clusters and of unclustered pictures."""
    line = page.get_by_text(SUMMARY)
    line.wait_for()
    settled(page)
    found = SUMMARY.search(line.inner_text())
    assert found is not None
    return int(found[1]), int(found[2])


def threshold(page: Page) -> Locator:
    return page.get_by_role("slider", name="Threshold", exact=True)


def acknowledged(page: Page) -> None:
    """Wait until the server has acknowledged the dial's values and the page shows them."""
    expect(page.locator(".dial")).to_have_attribute("aria-busy", "false")
    settled(page)


def in_url(page: Page, name: str) -> str | None:
    return parse_qs(urlsplit(page.url).query).get(name, [None])[0]


def headline(page: Page) -> Locator:
    return page.locator("p", has=page.locator("strong", has_text=re.compile("^(Draft|Revision|Nothing saved)"))).first


def cards(page: Page) -> Locator:
    return page.locator(".st-key-cluster_cards .frame")


def set_exactly(page: Page, value: str) -> None:
    page.get_by_label("Exact value").fill(value)
    page.get_by_label("Exact value").press("Enter")
    acknowledged(page)


def open_first(page: Page) -> None:
    settled(page)
    cards(page).first.locator(".open").click()
    page.get_by_role("button", name="Close").wait_for()
    settled(page)


def in_popover(page: Page, opener: str) -> None:
    settled(page)
    page.get_by_role("button", name=re.compile(rf"\b{opener}\b")).first.click()


def rename(page: Page, name: str) -> None:
    in_popover(page, "Name")
    page.get_by_role("textbox", name="Name", exact=True).fill(name)
    page.get_by_role("textbox", name="Name", exact=True).press("Enter")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    page.keyboard.press("Escape")
    settled(page)


def save(page: Page, note: str) -> None:
    in_popover(page, "Save")
    page.get_by_label("Note about this revision").fill(note)
    page.get_by_role("button", name="Save revision").click()


def colours(page: Page) -> list[int]:
    """The palette index of every point of the map, once it is drawn."""
    page.locator(f"{MAP} .gl-canvas").first.wait_for(state="attached")
    points = "document.querySelector(s)._fullData.find(t => t.type === 'scattergl')"
    return list(page.evaluate(f"s => Array.from({points}.marker.color)", MAP))


def wait_for_colours(page: Page, condition: Callable[[list[int]], bool]) -> None:
    """Wait for the map's colours: Plotly draws a moment after the page has settled."""
    for _ in range(TIMEOUT_MS // 100):
        if condition(colours(page)):
            return
        page.wait_for_timeout(100)
    pytest.fail("the map did not take the expected colours")


def marked_threshold(page: Page) -> float:
    """The position of the current threshold's mark on the curve, from 0 to 1."""
    mark, scale = page.locator(".mark").bounding_box(), page.locator(".drawing").bounding_box()
    assert mark is not None
    assert scale is not None
    return (mark["x"] + mark["width"] / 2 - scale["x"]) / scale["width"]


def test_the_slider_updates_everything_and_each_move_can_be_undone(browser: Browser, curated: str) -> None:
    with curator(browser, curated, "Slider") as page:
        clusters, unclustered = summary(page)
        before = colours(page)
        for _ in range(24):  # 0.82 to 0.7, faster than the server answers
            threshold(page).press("ArrowLeft")
        expect(page.get_by_label("Exact value")).to_have_value("0.7")
        expect(threshold(page)).to_have_attribute("aria-valuetext", "0.700")
        acknowledged(page)
        expect(headline(page)).to_contain_text("1 change not saved")
        fewer, fewer_unclustered = summary(page)
        assert (fewer < clusters, fewer_unclustered < unclustered) == (True, True)
        wait_for_colours(page, lambda now: sum(map(operator.ne, before, now)) > fewer_unclustered)
        assert marked_threshold(page) == pytest.approx(0.7, abs=0.004)
        draft = in_url(page, "draft")
        assert draft
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text(f"{clusters} clusters")).to_be_visible()
        wait_for_colours(page, lambda now: now == before)
        page.get_by_role("button", name="Redo").click()
        expect(page.get_by_text(f"{fewer} clusters")).to_be_visible()
        assert in_url(page, "draft") == draft


def test_a_typed_threshold_is_stored_exactly(browser: Browser, curated: str) -> None:
    with curator(browser, curated, "Exact") as page:
        set_exactly(page, "0.823457")
        expect(headline(page)).to_contain_text("1 change not saved")
        settled(page)
        page.reload()
        summary(page)
        expect(page.get_by_label("Exact value")).to_have_value("0.823457")


def test_values_set_while_the_server_is_down_are_sent_to_the_next_one(browser: Browser, data: Path) -> None:
    port = free_port()
    with ExitStack() as first:
        address = first.enter_context(serving(data, port))
        with curator(browser, address, "Patient") as page:
            set_exactly(page, "0.8")
            expect(headline(page)).to_contain_text("1 change not saved")
            settled(page)
            first.close()
            for _ in range(4):
                threshold(page).press("ArrowLeft")
            expect(page.locator(".dial")).to_have_attribute("aria-busy", "true")
            with serving(data, port):
                acknowledged(page)
                expect(page.get_by_label("Exact value")).to_have_value("0.78")
                page.reload()
                summary(page)
                expect(page.get_by_label("Exact value")).to_have_value("0.78")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_lasso_shows_its_pictures_and_packs_them(browser: Browser, curated: str, size: tuple[int, int]) -> None:
    with curator(browser, curated, f"Lasso {size[0]}", size=size) as page:
        canvas = page.locator(f"{MAP} .nsewdrag").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        corners = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8), (0.2, 0.25)]
        around = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
        page.mouse.move(*around[0])
        page.mouse.down()
        for x, y in around[1:]:
            page.mouse.move(x, y, steps=8)
        page.mouse.up()
        expect(page.get_by_text(re.compile(r"^\d+ pictures$"))).to_be_visible()
        expect(page.locator(".st-key-selection .frame")).to_have_count(24)
        settled(page)
        selected = page.get_by_text(re.compile(r"^\d+ pictures$")).inner_text()
        threshold(page).press("ArrowLeft")
        acknowledged(page)
        expect(page.get_by_text(re.compile(r"^\d+ pictures$"))).to_have_text(selected)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_role("button", name="Download", exact=True).click()
        page.get_by_role("button", name="Prepare a ZIP file").click()
        button = page.get_by_role("button", name="Download ZIP file")
        expect(button).to_be_visible()
        settled(page)
        with page.expect_download() as download:
            button.click()
        with zipfile.ZipFile(download.value.path()) as packed:
            assert packed.testzip() is None
            assert len(packed.namelist()) == int(selected.split()[0]) + 1  # with manifest.csv


def test_a_click_shows_its_picture_until_it_is_deselected(browser: Browser, curated: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{curated}/clusters")
        summary(page)
        colours(page)
        x, y = page.evaluate(
            """selector => {
                const map = document.querySelector(selector), { xaxis, yaxis } = map._fullLayout
                map.scrollIntoView({ block: 'center' })
                const box = map.querySelector('.nsewdrag').getBoundingClientRect()
                const { x, y } = map._fullData[0]
                return [box.x + xaxis.d2p(x[0]), box.y + yaxis.d2p(y[0])]
            }""",
            MAP,
        )
        page.mouse.click(x, y)
        expect(page.get_by_text(re.compile(r"^1 picture$"))).to_be_visible()
        # The event of Plotly after a double click, which a loaded computer may take for two clicks.
        page.evaluate("selector => document.querySelector(selector).emit('plotly_deselect')", MAP)
        expect(page.get_by_text("Click a point, or draw a lasso or a box")).to_be_visible()


def test_zooming_into_a_large_map_draws_more_of_its_points(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_app(Settings(data=tmp_path / "data", model="bundled", model_is_explicit=True))
    create_planted_collection(app, "many", MAX_POINTS + 1_000)
    # A map that is there from the start: one that comes meanwhile replaces what is zoomed into.
    monkeypatch.setattr(service, "fit_map", lambda vectors, **_: frame_map(principal_components(vectors)))
    app.atlas.fit("many")
    with serving(tmp_path / "data") as address, visitor(browser) as page:
        page.goto(f"{address}/clusters?collection=many")
        expect(page.get_by_text(f"{MAX_POINTS:,} of {MAX_POINTS + 1_000:,} points are drawn")).to_be_visible()
        before = colours(page)
        page.get_by_role("button", name="Whole map").wait_for()
        page.locator(f"{MAP} [data-title='Zoom in']").click()
        page.locator(f"{MAP} [data-title='Zoom in']").click()
        expect(page.get_by_text(f"of {MAX_POINTS + 1_000:,} points are drawn")).to_have_count(0)
        wait_for_colours(page, lambda now: len(now) < len(before))
        page.get_by_role("button", name="Whole map").click()
        expect(page.get_by_text(f"{MAX_POINTS:,} of {MAX_POINTS + 1_000:,} points are drawn")).to_be_visible()
        wait_for_colours(page, lambda now: now == before)


def test_names_splits_merges_and_a_published_revision_survive_a_reload(browser: Browser, curated: str) -> None:
    with curator(browser, curated, "Ada") as page:
        clusters, _ = summary(page)
        open_first(page)
        rename(page, "Ada’s largest")
        split_two(page)
        expect(page.get_by_text(f"{clusters + 1} clusters")).to_be_visible()
        merge_with_nearest(page)
        expect(page.get_by_text(f"{clusters} clusters")).to_be_visible()
        expect(headline(page)).to_contain_text("3 changes not saved")
        save(page, "By the test")
        expect(page.get_by_text(re.compile(r"Saved as revision \d+"))).to_be_visible()
        assert in_url(page, "draft") is None
        settled(page)
        page.get_by_role("button", name="Publish").click()
        expect(headline(page)).to_contain_text("published")
        page.get_by_role("radio", name="History").click()
        expect(page.get_by_text(re.compile(r"Ada, .* By the test"))).to_be_visible()
        page.reload()
        expect(page.get_by_text(re.compile(r"Ada, .* By the test"))).to_be_visible()
        expect(page.get_by_role("heading", name="Ada’s largest")).to_be_visible()
        assert summary(page)[0] == clusters
        expect(headline(page)).to_contain_text("published")


def split_two(page: Page) -> None:
    for box in page.locator("[class*=st-key-members_] .pick").all()[:2]:
        box.check()
        settled(page)
    page.get_by_role("button", name="Split off 2").click()
    expect(page.get_by_role("button", name="Split off 2")).to_have_count(0)
    settled(page)


def merge_with_nearest(page: Page) -> None:
    in_popover(page, "Merge")
    page.get_by_label("Merge with").click()
    page.get_by_role("option").filter(has_not_text="Select all").first.click()
    page.get_by_label("Merge with").press("Escape")
    settled(page)
    page.get_by_role("button", name="Merge clusters").click()


def test_a_link_opens_the_same_view_on_a_fresh_server(browser: Browser, curated: str, data: Path) -> None:
    with curator(browser, curated, "Link") as page:
        set_exactly(page, "0.7654")
        expect(headline(page)).to_contain_text("not saved")
        open_first(page)
        rename(page, "Linked")
        page.get_by_role("radio", name="Border pairs").click()
        expect(page.get_by_text(re.compile("they join at")).first).to_be_visible()
        settled(page)
        seen, link = summary(page), urlsplit(page.url)
    with serving(data) as fresh, visitor(browser) as page:
        page.goto(f"{fresh}{link.path}?{link.query}")
        assert summary(page) == seen
        expect(page.get_by_label("Exact value")).to_have_value("0.7654")
        expect(page.get_by_role("heading", name="Linked")).to_be_visible()
        expect(page.get_by_text(re.compile("they join at")).first).to_be_visible()
        expect(headline(page)).to_contain_text("2 changes not saved")


def test_the_second_to_save_sees_the_conflict_and_rebases_their_draft(browser: Browser, curated: str) -> None:
    with curator(browser, curated, "First") as first, curator(browser, curated, "Second") as second:
        for page, value in ((first, "0.81"), (second, "0.79")):
            set_exactly(page, value)
            expect(headline(page)).to_contain_text("not saved")
            settled(page)
        save(first, "first")
        expect(first.get_by_text(re.compile(r"Saved as revision \d+"))).to_be_visible()
        save(second, "second")
        expect(second.get_by_text(re.compile(r"First saved revision \d+ after you began"))).to_be_visible()
        second.keyboard.press("Escape")
        settled(second)
        second.get_by_role("button", name="Rebase my draft onto revision").click()
        expect(second.get_by_text(re.compile(r"Your draft is now based on revision \d+"))).to_be_visible()
        expect(second.get_by_label("Exact value")).to_have_value("0.79")
        settled(second)
        save(second, "second again")
        expect(second.get_by_text(re.compile(r"Saved as revision \d+"))).to_be_visible()


def test_at_390_pixels_everything_is_within_reach(browser: Browser, curated: str) -> None:
    with curator(browser, curated, "Narrow", size=NARROW) as page:
        threshold(page).press("ArrowRight")
        expect(headline(page)).to_contain_text("not saved")
        open_first(page)
        for section in ("What would change", "Border pairs", "History", "Clusters"):
            page.get_by_role("radio", name=section).click()
            settled(page)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), section
        for name in ("Undo", "Save", "Close", "Name", "Merge", "Mark as not a group", "Whole map"):
            button = page.get_by_role("button", name=name).first
            button.scroll_into_view_if_needed()
            box = button.bounding_box()
            assert box is not None, name
            assert box["x"] >= 0, name
            assert box["x"] + box["width"] <= NARROW[0], name


def test_without_the_key_sliders_move_but_nothing_can_be_saved(browser: Browser, curated: str, data: Path) -> None:
    with curator(browser, curated, "Keyed") as page:
        set_exactly(page, "0.8")
        expect(headline(page)).to_contain_text("not saved")
        settled(page)
        draft = in_url(page, "draft")
    with serving(data, CONTACTSHEET_CURATOR_KEY=KEY) as address, visitor(browser) as page:
        for link in ("", f"draft={draft}"):
            page.goto(f"{address}/clusters?{link}")
            clusters, _ = summary(page)
            expect(page.get_by_text("To save, enter the curator key")).to_be_visible()
            for _ in range(20):
                threshold(page).press("ArrowLeft")
            acknowledged(page)
            assert summary(page)[0] < clusters
            assert in_url(page, "t")
            open_first(page)
            for section in ("What would change", "Border pairs", "History", "Clusters"):
                page.get_by_role("radio", name=section).click()
                settled(page)
                writing = re.compile(
                    "^(Save|Undo|Redo|Rename|Name|Merge|Mark as not a group|Split off|Move|Pin|Publish|Restore|"
                    "Same group|Different|Confirm name|Cut the branch here)"
                )
                expect(page.get_by_role("button", name=writing)).to_have_count(0)
            assert KEY not in page.content()


def tab_to(page: Page, wanted: Locator) -> None:
    """Move the focus there with the Tab key alone."""
    wanted.wait_for()
    settled(page)
    for _ in range(150):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === element.getRootNode().activeElement"):
            return
    pytest.fail(f"the keyboard does not reach {wanted}")


def test_the_keyboard_alone_moves_undoes_opens_renames_and_saves(browser: Browser, curated: str) -> None:
    with visitor(browser) as page:
        page.goto(f"{curated}/clusters")
        summary(page)
        tab_to(page, threshold(page))
        page.keyboard.press("ArrowRight")
        expect(headline(page)).to_contain_text("1 change not saved")
        tab_to(page, page.get_by_role("button", name="Undo"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Redo")).to_be_enabled()
        tab_to(page, cards(page).first.locator(".open"))
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_role("button", name="Name", exact=True))
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_role("textbox", name="Name", exact=True))
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("By the keyboard")
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_role("button", name="Rename"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="By the keyboard")).to_be_visible()
        page.keyboard.press("Escape")
        tab_to(page, page.get_by_role("button", name="Save").first)
        page.keyboard.press("Enter")
        tab_to(page, page.get_by_role("textbox", name="Your name"))
        page.keyboard.type("Kay")
        tab_to(page, page.get_by_label("Note about this revision"))
        page.keyboard.type("typed")
        tab_to(page, page.get_by_role("button", name="Save revision"))
        page.keyboard.press("Enter")
        expect(page.get_by_text(re.compile(r"Saved as revision \d+"))).to_be_visible()
