from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import NARROW, WIDE, serving, settled, visitor
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_faults import MARKUP, each, quota

pytestmark = pytest.mark.browser
KEY = "a-key-that-no-page-may-show"


@pytest.fixture(scope="module")
def mock_server() -> Iterator[MockGeminiServer]:
    with MockGeminiServer(key=KEY, delay_s=0.3) as server:
        yield server


@pytest.fixture(scope="module")
def ranked(demo_data: Path, mock_server: MockGeminiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own data, whose Gemini is the mock server."""
    data = tmp_path_factory.mktemp("ranked") / "data"
    shutil.copytree(demo_data, data, ignore=shutil.ignore_patterns("*.db*", "jobs", "uploads*"))
    endpoint = {"CONTACTSHEET_GEMINI_ENDPOINT": mock_server.address, "NO_PROXY": "127.0.0.1"}
    with serving(data, GEMINI_API_KEY=KEY, **endpoint) as address:
        yield address


def ask(page: Page, address: str, query: str) -> None:
    page.goto(f"{address}/search?q={query}")
    settled(page)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_search_shows_the_best_four_with_reasons_and_opens_its_receipt(
    browser: Browser, ranked: str, mock_server: MockGeminiServer, size: tuple[int, int]
) -> None:
    with visitor(browser, size) as page:
        ask(page, ranked, f"a red flower {size[0]}")
        expect(page.get_by_text("chose 4 of 10 candidates")).to_be_visible()
        expect(page.get_by_text("Rankings come from a mock server")).to_be_visible()
        expect(page.locator(".frame")).to_have_count(4)
        expect(page.locator(".reason").first).to_contain_text("red")
        sent = len(mock_server.ledger)
        page.get_by_text("Receipt").click()
        expect(page.get_by_text("prompt 1")).to_be_visible()
        expect(page.get_by_text(re.compile("Gemini \\$0"))).to_be_visible()
        page.get_by_text("more, starting with the other candidates").click()
        expect(page.locator(".frame")).to_have_count(24)
        assert len(mock_server.ledger) == sent
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert KEY not in page.content()


def test_a_follow_up_is_a_turn_and_the_earlier_one_stays(browser: Browser, ranked: str) -> None:
    with visitor(browser) as page:
        ask(page, ranked, "a bird")
        expect(page.get_by_text("chose 4 of 10 candidates")).to_be_visible()
        page.get_by_placeholder("Refine").fill("only blue ones")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Understood by Gemini as")).to_be_visible()
        expect(page.get_by_label("What should the picture show?")).to_have_value(re.compile("bird.*blue"))
        expect(page.get_by_role("heading", name="Earlier searches")).to_be_visible()
        second = page.locator(".sheet.large .frame").nth(1)
        name = second.locator(".title").inner_text()
        page.get_by_placeholder("Refine").fill("more like the second one")
        page.keyboard.press("Enter")
        expect(page.get_by_label("What should the picture show?")).to_have_value(re.compile("bird.*like:"))
        expect(page.get_by_role("button", name="like a picture")).to_be_visible()
        assert name not in page.locator(".sheet.large .title").all_inner_texts()  # a picture is not its own like
        expect(page.get_by_role("button", name="Again")).to_have_count(2)
        page.get_by_role("button", name="Clear history").click()
        expect(page.get_by_role("heading", name="Earlier searches")).to_have_count(0)


def test_a_used_up_quota_is_counted_down_and_then_retried(
    browser: Browser, ranked: str, mock_server: MockGeminiServer
) -> None:
    mock_server.script(quota("minute", retry_after="12s"))
    with visitor(browser) as page:
        ask(page, ranked, "a boat on the water")
        expect(page.get_by_text("quota per minute is used up")).to_be_visible()
        expect(page.locator(".frame")).to_have_count(24)
        retry = page.get_by_role("button", name="Ask again")
        expect(retry).to_be_disabled()
        expect(page.get_by_text(re.compile("ask again in 0:0[1-9]"))).to_be_visible()
        expect(retry).to_be_enabled()
        retry.click()
        expect(page.get_by_text("chose 4 of 10 candidates")).to_be_visible()


def test_markup_in_reasons_is_text(browser: Browser, ranked: str, mock_server: MockGeminiServer) -> None:
    mock_server.script(each(lambda row: {**row, "reason": MARKUP}))
    with visitor(browser) as page:
        ask(page, ranked, "a castle")
        expect(page.locator(".reason").first).to_contain_text("<script>")
        assert page.locator(".reason script, .reason img").count() == 0
