from __future__ import annotations

import base64
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from core.access import OPERATOR
from core.app import open_app
from core.ingest.sources import demo
from core.quality.label_sets import read_label_set
from core.quality.relevance import compute_measures
from core.records.judgements import RecordedJudgement
from core.settings import PROJECT, Settings
from core.store.sql.judgement_store import JudgementStore
from tests.browser.conftest import NARROW, WIDE, serving, settled, visitor

pytestmark = pytest.mark.browser
PHOTOGRAPH = sorted(demo.PHOTOS.glob("*.jpg"))[0]
TIMEOUT_S = 60
PASTE = """(box, [name, data]) => {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0))
  const clipboard = new DataTransfer()
  clipboard.items.add(new File([bytes], name, { type: "image/jpeg" }))
  box.focus()
  box.dispatchEvent(new ClipboardEvent("paste", { clipboardData: clipboard, bubbles: true, cancelable: true }))
}"""


@dataclass(frozen=True)
class QualityServer:
    """A server of its own data and the address it answers at."""

    address: str
    data: Path

    def wait_for_judgements(self, count: int) -> list[RecordedJudgement]:
        """The stored judgements, as soon as there are this many."""
        judgements, deadline = JudgementStore(self.data / "judgements.db"), time.monotonic() + TIMEOUT_S
        while len(found := judgements.latest()) != count and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(found) == count
        return found


@pytest.fixture(scope="module")
def server(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[QualityServer]:
    """A server with two runs: one of the demo's label set, and the same with every order reversed."""
    data = tmp_path_factory.mktemp("quality") / "data"
    shutil.copytree(demo_data, data, ignore=shutil.ignore_patterns("*.db*", "jobs", "uploads*"))
    quality = open_app(Settings(data=data, model="bundled", model_is_explicit=True)).quality
    run, _ = quality.save(
        quality.evaluate(OPERATOR, read_label_set(PROJECT / "data" / "eval" / "demo.jsonl"), "demo", name="before")
    )
    reversed_outcomes = (
        replace(o, order=o.order[::-1], measures=compute_measures(o.order[::-1], o.relevant)) for o in run.outcomes
    )
    quality.save(replace(run, id=0, name="after", outcomes=tuple(reversed_outcomes)))
    with serving(data) as address:
        yield QualityServer(address, data)


def visit(page: Page, address: str) -> None:
    page.goto(address)
    settled(page)


def fits(page: Page) -> bool:
    """Whether the page needs no horizontal scrolling."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def thumb(page: Page, which: str, place: int = 0) -> Locator:
    return page.locator(f".sheet .thumb.{which}").nth(place)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_thumb_and_its_undo_survive_a_reload_and_disturb_nothing(
    browser: Browser, server: QualityServer, size: tuple[int, int]
) -> None:
    with visitor(browser, size) as page:
        visit(page, f"{server.address}/search?q=dog")
        expect(page.locator(".frame")).to_have_count(24)
        caption = page.get_by_text("the best matches first")
        expect(caption).to_have_count(1)  # while a page is drawn again, its old and new lines may both be there
        where, line = page.url, caption.inner_text()
        thumb(page, "up", 1).click()
        expect(thumb(page, "up", 1)).to_have_attribute("aria-pressed", "true")
        (judgement,) = server.wait_for_judgements(1)
        assert (judgement.judgement.query, judgement.judgement.ranker, judgement.judgement.position) == (
            "dog",
            "both",
            2,
        )
        settled(page)
        assert page.url == where
        expect(caption).to_have_text(line)  # with its time: no new search
        page.reload()
        settled(page)
        expect(thumb(page, "up", 1)).to_have_attribute("aria-pressed", "true")
        expect(thumb(page, "down", 1)).to_have_attribute("aria-pressed", "false")
        thumb(page, "up", 1).click()
        expect(thumb(page, "up", 1)).to_have_attribute("aria-pressed", "false")
        server.wait_for_judgements(0)
        page.reload()
        settled(page)
        expect(page.locator(".frame")).to_have_count(24)
        expect(page.locator(".thumb[aria-pressed=true]")).to_have_count(0)
        assert fits(page)


def test_thumbs_clicked_in_quick_succession_are_all_stored(browser: Browser, server: QualityServer) -> None:
    with visitor(browser) as page:
        visit(page, f"{server.address}/search?q=horse")
        expect(page.locator(".frame")).to_have_count(24)
        for place in range(6):
            thumb(page, "down" if place % 2 else "up", place).click()
        given = server.wait_for_judgements(6)
        assert sorted((o.judgement.position, o.judgement.up) for o in given) == [(n, n % 2 == 1) for n in range(1, 7)]
        expect(page.locator(".thumb[aria-pressed=true]")).to_have_count(6)
        for place in range(6):
            page.locator(".frame").nth(place).locator(".thumb[aria-pressed=true]").click()
        server.wait_for_judgements(0)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_run_shows_its_figures_and_a_query_with_its_pictures(
    browser: Browser, server: QualityServer, size: tuple[int, int]
) -> None:
    with visitor(browser, size) as page:
        visit(page, f"{server.address}/quality?query=d001 · red vehicle")
        expect(page.get_by_text("baseline: 0.87")).to_be_visible()
        expect(page.get_by_text("not measured (GEMINI_API_KEY is not set)")).to_be_visible()
        expect(page.get_by_text("as shown:")).to_be_visible()
        expect(page.locator(".frame .reason").first).to_be_visible()
        assert page.locator(".frame").count() >= 10
        expect(page.locator(".js-plotly-plot")).to_be_visible()
        assert fits(page)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_two_runs_are_compared_with_the_pictures_of_both(
    browser: Browser, server: QualityServer, size: tuple[int, int]
) -> None:
    with visitor(browser, size) as page:
        visit(page, f"{server.address}/quality?show=Compare&changed=d001 · red vehicle")
        expect(page.get_by_text("paired bootstrap")).to_be_visible()
        expect(page.locator(".sheet")).to_have_count(2)
        expect(page.locator(".frame")).to_have_count(20)
        first, second = (page.locator(".sheet").nth(place).locator(".frame") for place in (0, 1))
        ids = [[node.get_attribute("data-id") for node in side.all()] for side in (first, second)]
        assert ids[0] == ids[1][::-1]
        expect(page.locator(".frame img").first).to_be_visible()
        assert fits(page)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_an_uploaded_picture_is_searched_by_and_words_refine_it(
    browser: Browser, server: QualityServer, size: tuple[int, int]
) -> None:
    with visitor(browser, size) as page:
        visit(page, f"{server.address}/search")
        page.get_by_role("button", name="Picture", exact=False).first.click()
        page.locator("input[type=file]").first.set_input_files(PHOTOGRAPH)
        expect(page.get_by_text("Pictures like")).to_contain_text(PHOTOGRAPH.name)
        expect(page.locator(".frame .similarity").first).to_have_text("1.000")
        settled(page)
        first = page.locator(".frame").first.get_attribute("data-id")
        page.get_by_label("What should the picture show?").fill("red car")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Pictures like")).to_contain_text("red car")
        settled(page)
        page.get_by_role("button", name="Similarity").click()
        expect(page.get_by_text("Weight of the words")).to_be_visible()
        settled(page)
        weight = page.get_by_role("slider", name="Weight of the words")
        weight.focus()
        page.keyboard.press("End")
        expect(page.locator(".frame").first).not_to_have_attribute("data-id", str(first))
        expect(page).to_have_url(re.compile("weight=1"))
        page.keyboard.press("Escape")
        assert fits(page)
        page.get_by_role("button", name="Clear", exact=True).click()
        expect(page.get_by_text("Pictures like")).to_have_count(0)


def test_a_pasted_picture_is_searched_by(browser: Browser, server: QualityServer) -> None:
    with visitor(browser) as page:
        visit(page, f"{server.address}/search")
        page.get_by_role("button", name="Picture", exact=False).first.click()
        box = page.get_by_placeholder("Or paste one here")
        box.evaluate(PASTE, ["pasted.jpg", base64.b64encode(PHOTOGRAPH.read_bytes()).decode()])
        expect(page.get_by_text("pasted.jpg")).to_be_visible()
        page.get_by_test_id("stChatInputSubmitButton").click()  # it waits for the upload, Enter does not
        expect(page.get_by_text("Pictures like")).to_contain_text("pasted.jpg")
        expect(page.locator(".frame .similarity").first).to_have_text("1.000")


def test_judging_blind_counts_up_and_then_reveals_the_origins(browser: Browser, server: QualityServer) -> None:
    with visitor(browser) as page:
        visit(page, f"{server.address}/quality?show=Judge blind&judge=wooden boat")
        expect(page.locator(".frame")).to_have_count(10)
        expect(page.locator(".frame .similarity")).to_have_count(0)
        for place in range(10):
            thumb(page, "up" if place < 4 else "down", place).click()
        expect(page.get_by_text("10 of 10 judged")).to_be_visible()
        settled(page)
        page.get_by_role("button", name="Reveal origins").click()
        expect(page.locator(".frame .reason")).to_have_count(10)
        expect(page.locator(".thumb")).to_have_count(0)
        assert all(judgement.judgement.blind for judgement in server.wait_for_judgements(10))
