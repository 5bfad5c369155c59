"""What pages show of a damaged collection or database: one line, and everything else as before."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.access import Person
from core.app import App
from core.jobs.background import BackgroundJobs
from core.store.lance.collections import Collections
from pages.ui import person as person_module
from pages.ui import resources
from pages.ui.format import escape_markdown
from pages.ui.person import SessionConnection
from tests.conftest import load_colour
from tests.fakes.encoder import ColourEncoder
from tests.pages.conftest import AppWithSmallDemo, frames, visit

PAGES = ("search", "clusters", "library", "metrics", "quality")
GARBAGE = {"empty": b"", "garbage": b"no database at all " * 500}


@pytest.fixture
def library(served: App, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """Two collections, `birds` and the demo; jobs are queued, but their processes are not started."""
    monkeypatch.setattr(BackgroundJobs, "_spawn", lambda self, job: None)
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(True))
    served.ensure_demo()
    served.ingest(pictures, "birds")
    return served


def damage_collection(app: App, name: str) -> None:
    (app.settings.data / "collections" / name / "collection.json").write_text("{")


def damage_database(app: App, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch) -> App:
    """Damage it while no server runs, then start one."""
    data = app.settings.data
    app.backups.start_due_backup()
    for suffix in ("-wal", "-shm"):
        (data / f"{name}{suffix}").unlink(missing_ok=True)
    (data / name).write_bytes(content)
    fresh = App(app.settings, Collections(data / "collections"), load_colour(ColourEncoder()))
    fresh.__class__ = AppWithSmallDemo
    monkeypatch.setattr(resources, "open_app", lambda: fresh)
    resources.app.clear()
    resources.demo_build.clear()
    resources.monitoring.clear()
    return fresh


def open_page(name: str, **params: str) -> AppTest:
    page = visit(**params).switch_page(f"pages/{name}/page.py")
    for key, value in params.items():
        page.query_params[key] = value
    return page.run()


def messages(page: AppTest) -> list[str]:
    return [message.value for message in (*page.error, *page.warning)]


@pytest.mark.parametrize("name", PAGES)
def test_a_damaged_collection_leaves_pages_about_others_as_they_are(library: App, name: str) -> None:
    damage_collection(library, "birds")
    page = open_page(name)
    assert not page.exception
    assert not page.error


@pytest.mark.parametrize("name", ["search", "clusters", "quality"])
def test_choosing_a_damaged_collection_shows_one_line(library: App, name: str) -> None:
    damage_collection(library, "birds")
    page = open_page(name)
    page.selectbox(key="collection").select("birds").run()
    assert not page.exception
    assert page.selectbox(key="collection").options == ["birds", "demo"]
    if name != "quality":  # which knows runs and votes of it
        assert len(page.error) == 1
        assert "birds is damaged" in page.error[0].value
    page.selectbox(key="collection").select("demo").run()
    assert not page.error


@pytest.mark.parametrize("name", ["search", "clusters", "quality"])
def test_a_damaged_demo_collection_is_said_and_leads_to_the_library(library: App, name: str) -> None:
    damage_collection(library, "demo")
    resources.demo_build.clear()
    page = open_page(name)
    assert not page.exception
    assert len(page.error) == 1
    assert "demo is damaged" in page.error[0].value


def test_a_demo_collection_that_works_again_is_shown_without_a_restart(library: App) -> None:
    description = library.settings.data / "collections" / "demo" / "collection.json"
    before = description.read_text()
    damage_collection(library, "demo")
    resources.demo_build.clear()
    assert open_page("search").error
    description.write_text(before)
    page = open_page("search")
    assert not page.error
    assert frames(page)


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("database", ["contactsheet.db", "judgements.db", "events.db"])
@pytest.mark.parametrize("name", PAGES)
def test_a_damaged_database_breaks_no_page(
    library: App, name: str, database: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage_database(library, database, content, monkeypatch)
    page = open_page(name)
    assert not page.exception
    texts = messages(page)
    assert len(texts) == len(set(texts))
    if database == "events.db":
        assert not page.error
    else:
        assert len(texts) <= 1
        assert all(escape_markdown(f"{database} is damaged") in text for text in texts)


@pytest.mark.parametrize("database", ["contactsheet.db", "judgements.db"])
def test_pictures_are_found_while_a_database_is_damaged(
    library: App, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage_database(library, database, b"", monkeypatch)
    page = open_page("search", q="red")
    assert not page.exception
    assert frames(page)[0]["title"] == "Red <b>sail</b>"


@pytest.mark.parametrize(
    ("database", "name", "section"),
    [("events.db", "metrics", {}), ("alerts.db", "metrics", {"section": "Alerts"}), ("quality.db", "quality", {})],
)
def test_a_database_that_was_begun_anew_is_said_where_its_content_is_missing(
    library: App, database: str, name: str, section: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [c for c in open_page(name, **section).caption if "begun anew" in c.value]
    fresh = damage_database(library, database, b"", monkeypatch)
    page = open_page(name, **section)
    (kept,) = [each for each in fresh.set_aside_databases() if each.name == database]
    (line,) = [c.value for c in page.caption if "begun anew" in c.value]
    assert escape_markdown(kept.file) in line
    assert "can be deleted" in line
    (fresh.settings.data / kept.file).unlink()
    assert not [c for c in page.run().caption if "begun anew" in c.value]


def test_whoever_was_remembered_searches_on_while_sessions_cannot_be_read(
    library: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, code = library.sessions.offer(Person("Bob"), "")
    library.sessions.claim(code)
    remembered = SessionConnection(True, session=session)
    monkeypatch.setattr(person_module, "connection_of_session", lambda: remembered)
    damage_database(library, "contactsheet.db", b"", monkeypatch)
    page = open_page("search", q="red")
    assert not page.exception
    assert not page.error
    assert len(frames(page)) == 3
