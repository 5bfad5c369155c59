"""axe-core's rules for WCAG 2.1 A and AA, and for the order of headings, on every page, light and dark."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from core.settings import PROJECT
from tests.browser.conftest import free_port, serving, settled
from tests.fakes.oidc_provider import ROLES, oidc_provider, write_secrets

pytestmark = pytest.mark.browser
AXE = PROJECT / "node_modules" / "axe-core" / "axe.min.js"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


@dataclass(frozen=True)
class Place:
    """A page in a state: its address, and what is done once it is shown."""

    path: str
    then: Callable[[Page], object] = lambda page: None


def open_picture(page: Page) -> None:
    page.locator(".open").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Next picture").wait_for()


def select(page: Page) -> None:
    page.get_by_role("button", name="Select").click()
    expect(page.get_by_text("0 selected")).to_be_visible()
    page.locator(".open").nth(1).click()
    expect(page.get_by_text("1 selected")).to_be_visible()


def open_popover(name: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.get_by_role("button", name=name).first.click()
        page.get_by_test_id("stPopoverBody").wait_for()

    return act


def open_cut(page: Page) -> None:
    open_popover("Similarity")(page)
    page.get_by_test_id("stPopoverBody").locator(".main-svg").first.wait_for()  # until it is drawn, its place scrolls


PLACES = {
    "start": Place("search"),
    "results": Place("search?q=dog"),
    "chips": Place("search?q=dog+keyword:animals"),
    "nothing found": Place("search?q=dog&floor=1.0"),
    "filters": Place("search?q=dog", open_popover("Filters")),
    "similarity": Place("search?q=dog", open_cut),
    "details": Place("search?q=dog", open_picture),
    "selection": Place("search?q=dog", select),
    "clusters": Place("clusters"),
    "metrics": Place("metrics"),
    "alerts": Place("metrics?section=Alerts"),
    "library": Place("library"),
    "quality": Place("quality"),
    "name": Place("library", open_popover("Your name")),
}


@pytest.fixture(scope="module", autouse=True)
def axe() -> None:
    """Without axe-core these tests are skipped, but never in CI."""
    if not AXE.is_file():
        if os.environ.get("CI"):
            pytest.fail("CI must have axe-core: npm ci installs it")
        pytest.skip(f"no axe-core on this computer (looked for {AXE}): npm ci installs it")


@contextmanager
def looking(browser: Browser, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    try:
        yield context.new_page()
    finally:
        context.close()


def violations(page: Page) -> list[str]:
    """What axe-core finds: a line for each element, by rule, selector and what is wrong with it."""
    page.add_script_tag(path=AXE)
    found: list[dict[str, Any]] = page.evaluate(
        """tags => axe.run({ runOnly: { type: "tag", values: tags }, rules: { "heading-order": { enabled: true } } })
        .then(result => result.violations)""",
        TAGS,
    )
    return [
        f"{violation['id']}: {node['target']}: {node['failureSummary'].splitlines()[-1].strip()}"
        for violation in found
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_page_has_no_violation(
    browser: Browser, address: str, place: Place, scheme: Literal["light", "dark"]
) -> None:
    with looking(browser, scheme) as page:
        page.goto(f"{address}/{place.path}")
        page.get_by_role("heading", level=1).wait_for()
        settled(page)
        place.then(page)
        settled(page)
        page.wait_for_timeout(500)  # transitions of colours
        assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_that_offers_signing_in_has_no_violation(
    browser: Browser, demo_data: Path, tmp_path: Path, scheme: Literal["light", "dark"]
) -> None:
    port = free_port()
    with ExitStack() as running:
        provider = running.enter_context(oidc_provider(free_port()))
        secrets = write_secrets(tmp_path / "secrets.toml", provider, f"http://localhost:{port}")
        running.enter_context(serving(demo_data, port, CONTACTSHEET_SECRETS=str(secrets), **ROLES))
        page = running.enter_context(looking(browser, scheme))
        page.goto(f"http://localhost:{port}/library")
        page.get_by_role("button", name="Sign in", exact=True).wait_for()
        settled(page)
        page.wait_for_timeout(500)
        assert violations(page) == []


def test_the_search_page_is_used_by_keyboard_alone(browser: Browser, address: str) -> None:
    with looking(browser, "light") as page:
        page.goto(f"{address}/search")
        page.locator(".frame").first.wait_for()
        settled(page)
        page.keyboard.press("/")
        box = page.get_by_label("What should the picture show?")
        expect(box).to_be_focused()
        page.keyboard.type("dog")
        page.keyboard.press("Enter")
        page.locator(".frame .similarity").first.wait_for()
        settled(page)
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.shadowRoot?.activeElement?.className") == "open":
                break
        first = page.locator(".open").first
        expect(first).to_be_focused()
        assert first.locator(".mat").evaluate("mat => getComputedStyle(mat).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(first).to_be_focused()
