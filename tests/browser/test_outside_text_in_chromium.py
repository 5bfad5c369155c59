"""Texts from outside on the real pages: each shows itself, and none becomes a link, a picture or a style."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from core.access import Person
from core.app import App, open_app
from core.clusters.edits.model import Rename
from core.records.assets import Asset, Location, utc_now
from core.records.descriptions import Description
from core.records.jobs import Failure
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.sql.database import Database
from core.store.sql.job_store import JobStore
from core.text import one_line
from tests.browser.conftest import serving, settled, visitor

pytestmark = pytest.mark.browser
TEXT = "https://e.example/a_b www.e.example a@e.example [t](//e.example) :red[x] :smile:"
FILE = "www.e.example a@e.example :red[x] -- $x$.jpg"
NAME = "www.e.example a@e.example :smile: $x$"


@pytest.fixture(scope="module")
def address(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A collection, a revision and a job whose every text is hostile, with the pixels of demo photographs."""
    data = tmp_path_factory.mktemp("hostile") / "data"
    demo = Collections(demo_data / "collections").open("demo")
    snapshot = demo.snapshot()
    jpegs = [jpeg for _, jpeg in demo.assets(snapshot.ids[:8])]
    about = Description(title=TEXT, description=TEXT, author=TEXT, licence=TEXT, keywords=(TEXT,))
    assets = [
        Asset(str(number) * 64, (Location(f"/pictures/{number}/{FILE}", TEXT),), about, 400, 300, utc_now())
        for number in range(len(jpegs))
    ]
    Collections(data / "collections").create("hostile", demo.model).add(assets, jpegs, snapshot.vectors[: len(jpegs)])
    app = open_app(Settings(data=data, model="bundled", model_is_explicit=True))
    save_revision(app, Person(NAME, over_loopback=True))
    jobs = JobStore(Database(data / "contactsheet.db"))
    job = jobs.add("ingest", "hostile", {}, NAME)
    jobs.start(job.id)
    jobs.end(job.id, "failed", TEXT, failures=[Failure(f"/pictures/{FILE}", TEXT, TEXT)])
    with serving(data) as served:
        yield served


def save_revision(app: App, person: Person) -> None:
    """Name the largest cluster, and save that with a note."""
    draft = app.curation.open(person, "hostile")
    view = app.clusters.view("hostile", draft.plan, draft.record.parent)
    draft = app.curation.edit(person, draft, Rename(view.partition.ref(0), TEXT))
    app.curation.name_revision(person, app.curation.save(person, draft, TEXT).id, TEXT)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A window whose pages ask no other host for anything."""
    with visitor(browser) as page:
        yield page


def visit(page: Page, address: str, path: str, **query: str) -> None:
    page.goto(f"{address}/{path}?{urlencode(query)}")
    page.get_by_role("heading", level=1).wait_for()
    settled(page)


def foreign_links(page: Page) -> list[str]:
    """Where links lead, also those within components, unless to our own server."""
    leads = page.locator("a[href]").evaluate_all(
        "(links) => links.map((link) => [link.href, new URL(link.href, document.baseURI).origin === location.origin])"
    )
    assert leads, "not even the navigation was found"
    return [href for href, ours in leads if not ours]


def expect_text(where: Page | Locator, text: str = TEXT) -> None:
    """The smallest elements that hold the text show exactly it, however it is broken up, and nothing drawn for it."""
    found = where.get_by_text(text)
    expect(found.first).to_be_visible()
    for element in found.all():
        assert text in (element.text_content() or "")
        assert element.locator("img, code, em, del, .katex, [role=img], [style*=color]").count() == 0


def test_of_a_picture(page: Page, address: str) -> None:
    visit(page, address, "search", collection="hostile")
    expect_text(page.locator(".frame").first)
    page.locator(".frame .open").first.click()
    dialog = page.get_by_role("dialog")
    expect_text(dialog.get_by_role("heading"))
    for name in ("Author", "Licence", "Keywords", "Source"):
        expect_text(dialog.get_by_test_id("stCaptionContainer").filter(has_text=name))
    expect_text(dialog.get_by_test_id("stText"))
    expect_text(dialog, FILE)
    assert foreign_links(page) == []


def test_of_a_search(page: Page, address: str) -> None:
    visit(page, address, "search", collection="hostile", q=TEXT)
    expect(page.locator(".frame").first).to_be_visible()
    page.get_by_label("What should the picture show?").fill("a hill")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Earlier searches")).to_be_visible()
    expect_text(page.get_by_test_id("stMarkdownContainer").filter(has_text="in hostile"))
    visit(page, address, "search", collection="hostile", like="0" * 64)
    expect_text(page.get_by_test_id("stMarkdownContainer").filter(has_text="Pictures like"))
    assert foreign_links(page) == []
    visit(page, address, "metrics", section="Requests")
    expect_text(page.get_by_test_id("stExpander").filter(has_text="e.example"), one_line(TEXT, 60))
    assert foreign_links(page) == []


@pytest.mark.parametrize(
    ("path", "name"), [(path, "collection") for path in ("search", "clusters", "library")] + [("metrics", "measured")]
)
def test_of_the_address(page: Page, address: str, path: str, name: str) -> None:
    visit(page, address, path, **{name: TEXT})
    expect_text(page.get_by_test_id("stAlert").filter(has_text="There is no collection"))
    assert foreign_links(page) == []


def test_of_clusters_and_revisions(page: Page, address: str) -> None:
    visit(page, address, "clusters", collection="hostile")
    card = page.locator(".frame").filter(has_text=TEXT).first
    expect_text(card)
    card.locator(".open").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(TEXT)
    expect_text(page.get_by_role("heading", level=2))
    assert foreign_links(page) == []
    visit(page, address, "clusters", collection="hostile", section="History")
    expect_text(page.get_by_test_id("stMarkdownContainer").filter(has_text="Revision 1 ·"))
    expect_text(page.get_by_test_id("stCaptionContainer").filter(has_text=NAME))
    expect_text(page.get_by_test_id("stCaptionContainer").filter(has_text=NAME), NAME)
    assert foreign_links(page) == []


def test_of_jobs(page: Page, address: str) -> None:
    visit(page, address, "library")
    expect_text(page.get_by_test_id("stCaptionContainer").filter(has_text=TEXT))
    page.get_by_text("1 file skipped").click()
    expect_text(page.get_by_test_id("stExpander"), FILE)
    expect_text(page.get_by_test_id("stExpander"))
    assert foreign_links(page) == []
