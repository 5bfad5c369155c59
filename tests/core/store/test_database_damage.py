"""A database file that is no database any more: said where nothing replaces it, set aside where that loses little."""

from __future__ import annotations

import random
import re
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.app import App
from core.errors import StoreError
from core.records.events import Event
from core.store.sql.damage import DatabaseDamaged, set_aside_files
from core.store.sql.database import Database
from core.store.sql.event_log import EventLog
from core.store.sql.migrations import Migration
from tests.fakes.colour_app import colour_app

NOTES = (Migration("notes", ("CREATE TABLE notes (line TEXT NOT NULL)",)),)


def database(path: Path, expendable: bool = False) -> Database:
    return Database(path, NOTES, expendable=expendable)


def note(database: Database, line: str) -> None:
    with database.transaction() as db:
        db.execute("INSERT INTO notes VALUES (?)", (line,))


def notes(database: Database) -> list[str]:
    with database.reading() as db:
        return [line for (line,) in db.execute("SELECT line FROM notes ORDER BY rowid")]


def event(number: int) -> Event:
    return Event(f"{number:032x}", "search", datetime(2026, 11, 28, tzinfo=UTC), "c", "ok", "")


def overwrite(path: Path) -> None:
    """Every page but the first becomes noise: such a file opens, and fails where it is read."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(1).randbytes(size - 4096))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "a file of 0 bytes"),
    "garbage": (lambda path: path.write_bytes(b"<html>not found</html>" * 400), "it does not begin as a database does"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:5000]), "malformed"),
    "noise": (overwrite, "malformed|not a database"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_database_is_said_to_be_damaged_with_the_way_to_restore_it_and_left_as_it_is(
    kind: str, tmp_path: Path
) -> None:
    damage, cause = DAMAGES[kind]
    path = tmp_path / "contactsheet.db"
    note(database(path), "a" * 9000)
    damage(path)
    left = path.read_bytes()
    damaged = database(path)
    for use in (lambda: notes(damaged), lambda: note(damaged, "more")):
        with pytest.raises(DatabaseDamaged, match=rf"contactsheet.db is damaged \(.*({cause}).*restore PLACE"):
            use()
    assert path.read_bytes() == left
    assert set_aside_files(tmp_path) == []


@pytest.mark.parametrize("kind", DAMAGES)
def test_an_expendable_database_is_set_aside_under_a_dated_name_and_begun_anew(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    note(database(path, expendable=True), "a" * 9000)
    DAMAGES[kind][0](path)
    left = path.read_bytes()
    anew = database(path, expendable=True)
    if kind == "noise":  # found only while it is read
        with pytest.raises(StoreError, match=r"was damaged .* set aside, and a new one is begun; try again"):
            notes(anew)
    assert notes(anew) == []
    note(anew, "b")
    (aside,) = set_aside_files(tmp_path)
    assert re.fullmatch(r"events\.damaged-\d{8}-\d{6}-\d{6}\.db", aside.name)
    assert aside.read_bytes() == left
    assert notes(database(path, expendable=True)) == ["b"]


def test_a_log_without_its_database_is_not_given_to_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "contactsheet.db"
    kept = Database(path, NOTES, stays_open=True)  # so that the log stays
    note(kept, "a")
    path.unlink()
    with pytest.raises(DatabaseDamaged, match=r"it is gone, contactsheet.db-wal is still there"):
        notes(database(path))
    assert not path.exists()


def test_a_database_that_was_restored_is_used_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "contactsheet.db"
    note(database(path), "a")
    whole = path.read_bytes()
    path.write_bytes(b"")
    damaged = database(path)
    with pytest.raises(DatabaseDamaged, match="0 bytes"):
        notes(damaged)
    path.write_bytes(whole)
    assert notes(damaged) == ["a"]


def test_many_who_find_a_database_damaged_set_it_aside_once(tmp_path: Path) -> None:
    path, together = tmp_path / "events.db", threading.Barrier(8)
    database(path)
    path.write_bytes(b"garbage" * 1000)

    def work(number: int) -> None:
        together.wait(30)
        note(database(path, expendable=True), str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(set_aside_files(tmp_path)) == 1
    assert sorted(notes(database(path))) == list("01234567")


def test_events_are_written_on_by_everyone_who_had_the_damaged_log_open(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    logs = [EventLog(path), EventLog(path)]
    for number, log in enumerate(logs):
        log.append(event(number))
    path.write_bytes(b"")
    EventLog(path).append(event(2))
    for number, log in enumerate(logs, 3):
        log.append(event(number))
    with sqlite3.connect(path) as db:
        uids = [int(uid, 16) for (uid,) in db.execute("SELECT uid FROM events ORDER BY rowid")]
    assert uids == [2, 3, 4]


@pytest.fixture
def app(tmp_path: Path, pictures: Path) -> App:
    app = colour_app(tmp_path / "data")
    app.ingest(pictures, "c")
    return app


@pytest.mark.parametrize("name", ["contactsheet", "judgements", "events", "alerts", "quality", "limits"])
@pytest.mark.parametrize("kind", ["empty", "garbage"])
def test_whichever_database_is_damaged_pictures_are_found(name: str, kind: str, app: App) -> None:
    DAMAGES[kind][0](app.settings.data / f"{name}.db")
    again = colour_app(app.settings.data)
    assert len(again.search("red", "c").hits) == again.size("c")
    assert [collection.name for collection in again.collections()] == ["c"]
    aside = [path.name.partition(".")[0] for path in set_aside_files(app.settings.data)]
    assert aside == ([] if name in ("contactsheet", "judgements") else [name])
