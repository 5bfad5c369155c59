from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from core.ingest.sources import demo
from tests.browser.conftest import NARROW, WIDE, choose_collection, serving, settled, visitor
from tests.fakes.trials import trials

pytestmark = pytest.mark.browser
MANY = trials(600, at_least=160)


def open_folder(page: Page, name: str) -> None:
    """Choose a folder from the list; repeated if the page was still being drawn and closed the list."""
    box = page.get_by_label("Open a folder in it")
    box.wait_for()
    for _ in range(10):
        settled(page)
        box.fill("")  # the same text again would not open the list
        box.fill(name)
        page.wait_for_timeout(500)
        if page.get_by_role("option", name=name).count():
            page.get_by_role("option", name=name).first.click()
            return
    pytest.fail(f"the page never offered the folder {name}")


@pytest.fixture
def many_pictures(tmp_path: Path) -> Path:
    """Pictures that differ and two that cannot be read: work for long enough to reload and cancel."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    photographs = [Image.open(path).convert("RGB") for path in demo.photographs()[:40]]
    for number in range(MANY):
        photographs[number % 40].rotate(number // 40, expand=True).save(folder / f"{number:04}.jpg")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("no picture")
    return folder


PHOTOGRAPHS = ["strawberry-red.jpg", "dog-golden-retriever-profile.jpg", "car-sports-red.jpg"]


@pytest.mark.parametrize(("size", "count"), [(WIDE, 3), (NARROW, 2)])
def test_uploaded_pictures_are_embedded_and_found(
    browser: Browser, address: str, size: tuple[int, int], count: int
) -> None:
    name = f"uploads{size[0]}"
    with visitor(browser, size) as page:
        page.goto(f"{address}/library")
        choose_collection(page, name)
        page.locator("input[type=file]").set_input_files([demo.PHOTOS / file for file in PHOTOGRAPHS[:count]])
        page.get_by_role("button", name="Add to collection").click()
        expect(page.get_by_text(f"{count} added, 0 known already").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.goto(f"{address}/search?collection={name}&q=strawberry")
        expect(page.locator(".frame .title").first).to_have_text("strawberry-red.jpg")
        expect(page.locator(".frame")).to_have_count(count)


def test_progress_survives_a_reload_and_a_cancelled_job_resumes(
    browser: Browser, demo_data: Path, many_pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTACTSHEET_ROOTS", str(many_pictures.parent))
    data = tmp_path / "data"
    others = shutil.ignore_patterns("*.db*", "jobs", "uploads*")  # what other tests did with the same demo
    shutil.copytree(demo_data, data, ignore=others)
    with serving(data) as fresh, visitor(browser) as page:
        page.goto(f"{fresh}/library")
        choose_collection(page, "many")
        page.get_by_text("Folder on this computer").click()
        open_folder(page, "pictures")
        expect(page.get_by_label("Folder", exact=True)).to_have_value(str(many_pictures))
        page.get_by_role("button", name="Add to collection").click()
        expect(page.get_by_text("images/s")).to_be_visible()
        page.reload()
        expect(page.get_by_text("images/s")).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("cancelled; what was committed is kept")).to_be_visible()
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_text("2 files skipped")).to_be_visible(timeout=180_000)
        page.get_by_text("2 files skipped").click()
        expect(page.get_by_text("empty file", exact=True)).to_be_visible()
        expect(page.get_by_text("text.jpg")).to_be_visible()
        page.get_by_role("button", name="Retry").click()
        expect(page.get_by_text("0 added, 0 known already, 2 skipped")).to_be_visible()
        page.goto(f"{fresh}/search?collection=many")
        expect(page.get_by_text(f"The newest 24 of {MANY} pictures")).to_be_visible()
