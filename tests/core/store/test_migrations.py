"""Databases of every earlier version are brought up to date; a migration is applied whole or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from core.errors import StoreError
from core.store.sql.database import Database
from core.store.sql.migrations import ALERTS, CONTACTSHEET, EVENTS, JUDGEMENTS, LIMITS, QUALITY, Migration

DATABASES = {
    "contactsheet": CONTACTSHEET,
    "events": EVENTS,
    "alerts": ALERTS,
    "quality": QUALITY,
    "judgements": JUDGEMENTS,
    "limits": LIMITS,
}
EARLIER_VERSIONS = [(name, version) for name, steps in DATABASES.items() for version in range(len(steps))]
BIRDS = Migration("birds", ("CREATE TABLE birds (name TEXT NOT NULL)", "INSERT INTO birds VALUES ('wren')"))


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path) as db:
        rows = db.execute(sql).fetchall()
    db.close()
    return rows


def schema(path: Path) -> list[tuple[Any, ...]]:
    return query(path, "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")


def tables(path: Path) -> list[str]:
    return [name for (name,) in query(path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def fill(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Put a row into every table that has none, and return all rows."""
    values = {"INTEGER": 1, "REAL": 0.5, "TEXT": "a;b", "BLOB": b"\0;"}
    with sqlite3.connect(path) as db:
        for table, rows in contents(path).items():
            kinds = [kind for _, _, kind, *_ in db.execute(f"PRAGMA table_info ({table})")]
            if not rows:
                marks = ", ".join("?" * len(kinds))
                db.execute(f"INSERT INTO {table} VALUES ({marks})", [values[kind] for kind in kinds])
    db.close()
    return contents(path)


def contents(path: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, by column."""
    found = {}
    for table in (table for table in tables(path) if not table.startswith("sqlite_")):
        columns = [name for _, name, *_ in query(path, f"PRAGMA table_info ({table})")]
        found[table] = [dict(zip(columns, row, strict=True)) for row in query(path, f"SELECT * FROM {table}")]
    return found


@pytest.mark.parametrize(("name", "version"), EARLIER_VERSIONS)
def test_a_database_of_every_earlier_version_becomes_as_a_new_one_and_keeps_its_rows(
    tmp_path: Path, name: str, version: int
) -> None:
    old, new, steps = tmp_path / "old.db", tmp_path / "new.db", DATABASES[name]
    Database(old, steps[:version])
    rows = fill(old)
    Database(old, steps)
    Database(new, steps)
    assert schema(old) == schema(new)
    assert query(old, "PRAGMA user_version") == query(new, "PRAGMA user_version") == [(len(steps),)]
    after = contents(old)
    for table, before in rows.items():
        assert len(after[table]) >= len(before)
        for was, now in zip(before, after[table], strict=False):
            assert {column: now[column] for column in was if column in now} == {
                column: value for column, value in was.items() if column in now
            }
            assert {column.replace("usd", "pico_usd") for column in was.keys() - now.keys()} <= now.keys()


def open_now(path: Path, steps: tuple[Migration, ...]) -> None:
    with Database(path, steps).reading():
        pass


def test_migrations_have_different_names() -> None:
    for steps in DATABASES.values():
        assert len({step.name for step in steps}) == len(steps)


def test_each_migration_runs_once(tmp_path: Path) -> None:
    path = tmp_path / "contactsheet.db"
    Database(path)
    for _ in range(2):
        Database(path, (*CONTACTSHEET, BIRDS))
    assert query(path, "SELECT name FROM birds") == [("wren",)]


def test_a_migration_that_fails_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "contactsheet.db"
    Database(path)
    fill(path)
    before = (schema(path), contents(path), query(path, "PRAGMA user_version"))
    broken = Migration(
        "broken",
        ("CREATE TABLE extra (x INTEGER)", "DELETE FROM jobs", "DROP TABLE rankings", "SELECT * FROM nowhere"),
    )
    with pytest.raises(StoreError, match=r"no such table: nowhere\): nothing was changed"):
        open_now(path, (*CONTACTSHEET, broken))
    assert (schema(path), contents(path), query(path, "PRAGMA user_version")) == before
    Database(path)


def test_the_migrations_before_one_that_fails_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    first, broken = Migration("t", ("CREATE TABLE t (a)",)), ("CREATE TABLE extra (x)", "SELECT * FROM nowhere")
    Database(path, (first,))
    with pytest.raises(StoreError, match="nowhere"):
        open_now(path, (first, BIRDS, Migration("broken", broken)))
    assert (tables(path), query(path, "PRAGMA user_version")) == (["birds", "t"], [(2,)])


def test_a_statement_may_hold_semicolons(tmp_path: Path) -> None:
    trigger = """
        CREATE TRIGGER two_birds AFTER INSERT ON birds WHEN new.name = 'a;b' BEGIN
            INSERT INTO birds VALUES ('c;d');
            INSERT INTO birds VALUES ('e');
        END
    """
    more = Migration("a trigger", (trigger, "INSERT INTO birds VALUES ('a;b')"))
    Database(tmp_path / "a.db", (BIRDS, more))
    assert query(tmp_path / "a.db", "SELECT name FROM birds") == [("wren",), ("a;b",), ("c;d",), ("e",)]


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "contactsheet.db"
    Database(path)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="update"):
        open_now(path, CONTACTSHEET)


def test_a_new_database_is_there_with_its_whole_schema_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with pytest.raises(StoreError, match="nowhere"):
        open_now(path, (BIRDS, Migration("broken", ("SELECT * FROM nowhere",))))
    assert list(tmp_path.iterdir()) == []
