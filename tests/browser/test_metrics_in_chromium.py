from __future__ import annotations

import csv
import random
import shutil
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from core.access import Person
from core.records.events import Event
from core.store.sql.audit_log import AuditLog
from core.store.sql.database import Database
from core.store.sql.event_log import EventLog
from tests.browser.conftest import NARROW, WIDE, serving, settled, visitor

pytestmark = pytest.mark.browser

# A rule like the committed one, but over the last few seconds.
RULES = """
[[alert]]
name = "SlowSearches"
title = "Searches are slow"
measure = "total_p95_s"
kinds = ["search"]
threshold = 2.0
clear = 1.5
for_s = 0
window_s = 5
least = 3
severity = "warning"
advice = "Look which stage takes the time."
"""
MAIN = "document.querySelector('[data-testid=stMain]')"


class Load:
    """Searches logged one after another, as by other processes."""

    def __init__(self, data: Path) -> None:
        self.total_ms = 300.0
        self._log, self._stopped = EventLog(data / "events.db"), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        generator = random.Random(7)
        while not self._stopped.wait(0.2):
            total_ms = self.total_ms * generator.uniform(0.9, 1.1)
            stage_ms = {"encode": 20.0, "search": 2.0, "rank": total_ms - 30, "load": 8.0, "total": total_ms}
            detail = {"query": "a <b>red</b> flower"}
            event = Event(
                uuid.uuid4().hex,
                "search",
                datetime.now(UTC),
                "demo",
                "ok",
                "",
                stage_ms,
                gemini_usd=0.0004,
                detail=detail,
            )
            self._log.append(event)


@pytest.fixture(scope="module")
def data(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("measured") / "data"
    shutil.copytree(demo_data, folder, ignore=shutil.ignore_patterns("*.db*", "jobs", "uploads*"))
    return folder


@pytest.fixture(scope="module")
def measured(data: Path) -> Iterator[str]:
    """A server whose alerts look at the last few seconds."""
    rules = data.parent / "alerts.toml"
    rules.write_text(RULES)
    with serving(data, CONTACTSHEET_ALERTS=str(rules)) as address:
        yield address


@pytest.fixture
def load(data: Path) -> Iterator[Load]:
    load = Load(data)
    yield load
    load.close()


def searches(page: Page) -> Locator:
    """The figure that counts searches."""
    return page.get_by_test_id("stMetric").filter(has_text="Searches").get_by_test_id("stMetricValue")


def wait_for_refresh(page: Page) -> None:
    """Wait until the page has refreshed itself."""
    expect(searches(page)).not_to_have_text(searches(page).inner_text())


def fits_width(page: Page) -> bool:
    return bool(page.evaluate(f"{MAIN}.scrollWidth <= window.innerWidth"))


def title_place(page: Page) -> dict[str, float]:
    """Where the title of the page is."""
    place = page.get_by_role("heading", level=1).bounding_box()
    assert place is not None
    return dict(place)


def covered_by(page: Page, badge: Locator) -> list[str]:
    """The buttons and links, of the header bar and below, that the badge overlaps."""
    overlapping = """(badge) => {
        const { left, right, top, bottom } = badge.getBoundingClientRect()
        return [...document.querySelectorAll("a, button, input")].filter((other) => {
            const box = other.getBoundingClientRect()
            const apart = box.right <= left || box.left >= right || box.bottom <= top || box.top >= bottom
            return other !== badge && box.width > 0 && other.checkVisibility() && !apart
        }).map((other) => other.outerHTML.slice(0, 200))
    }"""
    return list(badge.evaluate(overlapping))


def focus_by_tab(page: Page, target: Locator) -> None:
    """Press Tab until this has the focus."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if target.evaluate("node => node === document.activeElement"):
            return
    pytest.fail("Tab never reaches it")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_figures_refresh_under_load_and_the_persons_view_stays(
    browser: Browser, measured: str, load: Load, size: tuple[int, int]
) -> None:
    with visitor(browser, size) as page:
        page.goto(f"{measured}/metrics?span=15+min")
        chart = page.locator(".vega-embed :is(canvas, svg)").first
        chart.wait_for()
        settled(page)
        wait_for_refresh(page)
        page.evaluate(f"{MAIN}.scrollTo(0, 500)")
        place = chart.bounding_box()
        chart.evaluate("drawn => { drawn.dataset.seen = 'before' }")
        wait_for_refresh(page)
        wait_for_refresh(page)
        assert chart.bounding_box() == place
        assert chart.get_attribute("data-seen") == "before"  # redrawn, not created anew
        assert page.evaluate(f"{MAIN}.scrollTop") == 500
        assert fits_width(page)
        page.get_by_text("Requests", exact=True).click()
        first = page.get_by_test_id("stExpander").first
        first.locator("summary").click()
        expect(page.get_by_text("Paused while a receipt is open.")).to_be_visible()
        label, request = first.locator("summary").inner_text(), page.get_by_text("Request ·").inner_text()
        assert "a <b>red</b> flower in demo" in label
        page.wait_for_timeout(5000)  # some refreshes
        assert first.locator("summary").inner_text() == label
        assert page.get_by_text("Request ·").inner_text() == request
        assert fits_width(page)


def alert(page: Page, state: str) -> Locator:
    """The alert's line in this state; for a moment of each refresh the page holds the old line beside the new one."""
    lines = page.get_by_test_id("stMarkdownContainer").filter(has_text="Searches are slow:")
    return lines.filter(has_text=state).first


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_an_alert_appears_here_and_on_other_pages_and_clears(
    browser: Browser, measured: str, load: Load, size: tuple[int, int]
) -> None:
    with visitor(browser, size) as page, visitor(browser, size) as other:
        other.goto(f"{measured}/search")
        other.locator(".frame").first.wait_for()
        badge = other.get_by_role("link", name="Searches are slow")
        expect(badge).to_have_count(0)
        quiet = title_place(other)
        page.goto(f"{measured}/metrics?section=Alerts")
        load.total_ms = 3000.0
        expect(alert(page, "firing")).to_be_visible()
        expect(badge).to_be_visible()
        settled(other)
        assert title_place(other) == quiet
        assert covered_by(other, badge) == []
        assert fits_width(page)
        assert fits_width(other)
        focus_by_tab(other, badge)
        other.keyboard.press("Enter")
        expect(other.get_by_role("heading", name="Metrics")).to_be_visible()
        expect(other.get_by_text("Look which stage takes the time.")).to_be_visible()
        firing = title_place(other)
        load.total_ms = 300.0
        expect(alert(page, "resolved")).to_be_visible()
        expect(other.get_by_text("No active alerts.")).to_be_visible()
        expect(badge).to_have_count(0)
        assert title_place(other) == firing


def test_a_viewer_sees_nothing_of_an_alert_but_the_metrics_page(browser: Browser, data: Path, load: Load) -> None:
    load.total_ms = 3000.0
    settings = {"CONTACTSHEET_ALERTS": str(data.parent / "alerts.toml"), "CONTACTSHEET_CURATOR_KEY": "a key"}
    (data.parent / "alerts.toml").write_text(RULES)
    with serving(data, **settings) as address, visitor(browser) as page, visitor(browser) as other:
        page.goto(f"{address}/metrics?section=Alerts")
        expect(alert(page, "firing")).to_be_visible()
        other.goto(f"{address}/search")
        other.locator(".frame").first.wait_for()
        settled(other)
        for viewed in (page, other):
            assert viewed.get_by_role("link", name="Searches are slow").count() == 0


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_the_audit_log_is_searched_and_downloaded(
    browser: Browser, measured: str, data: Path, size: tuple[int, int]
) -> None:
    log, target = AuditLog(Database(data / "contactsheet.db")), f"revision {size[0]}"
    log.record(Person("Ada", visitor="192.0.2.7"), "publish", "birds", target)
    log.record(Person("Bob", visitor="192.0.2.9"), "wrong key", outcome="not done")
    with visitor(browser, size) as page:
        page.goto(f"{measured}/metrics?section=Audit+log")
        expect(page.get_by_text("the newest first")).to_be_visible()
        assert fits_width(page)
        search = page.get_by_role("textbox", name="Search")
        search.fill(target)
        search.press("Enter")
        expect(page.get_by_text("Entry 1", exact=True)).to_be_visible()
        settled(page)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV").click()
        rows = list(csv.DictReader(download.value.path().read_text("utf-8-sig").splitlines()))
        assert [(row["actor"], row["target"], row["visitor"]) for row in rows] == [("Ada", target, "192.0.2.7")]
        search.fill("nobody did this")
        search.press("Enter")
        expect(page.get_by_text("No entry matches")).to_be_visible()
        assert fits_width(page)
