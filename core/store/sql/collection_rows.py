"""The rows that databases hold about a collection, copied from one to another, under the same or another name.

Revisions and other rows keep their numbers where these are free, so that what people wrote down stays right and what is
listed by age keeps its order; else all get new ones.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from core.store.sql.database import Database

Row = dict[str, Any]


def has_rows(database: Database, table: str, collection: str) -> bool:
    """Whether a table holds anything about a collection. Raises StoreError."""
    with database.reading() as db:
        query = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE collection = ?)"  # noqa: S608 - a table of ours
        return bool(db.execute(query, (collection,)).fetchone()[0])


def copy_clusterings(source: Database, target: Database, old: str, new: str) -> None:
    """Revisions, publications, drafts, assignments, sources and successors, in one transaction; `new` must have none.

    Raises StoreError.
    """
    with source.reading() as rows, target.transaction() as db:
        revisions = _rows(rows, "revisions", old)
        numbers = _numbers(db, [row["id"] for row in revisions])

        def renumbered(row: Row) -> Row:
            return {**row, "collection": new, **{key: numbers.get(row[key]) for key in ("id", "parent") if key in row}}

        def referring(row: Row) -> Row:
            return {**row, "collection": new, "revision": numbers[row["revision"]]}

        _insert(db, "asset_lists", [{**row, "collection": new} for row in _rows(rows, "asset_lists", old)])
        _insert(db, "revisions", [renumbered(row) for row in revisions])
        for number in numbers:
            clusters = rows.execute("SELECT * FROM revision_clusters WHERE revision = ?", (number,))
            _insert(db, "revision_clusters", [{**dict(row), "revision": numbers[number]} for row in clusters])
        _insert(db, "published", [referring(row) for row in _rows(rows, "published", old)])
        _insert(db, "assignments", [referring(row) for row in _rows(rows, "assignments", old)])
        publications = [_publication(row, new, numbers) for row in _rows(rows, "publications", old)]
        _insert_numbered(db, "publications", publications)
        taken = {row["id"] for row in db.execute("SELECT id FROM drafts")}
        _insert(db, "drafts", [_draft(row, new, numbers, taken) for row in _rows(rows, "drafts", old)])
        _insert(db, "sources", [{**row, "collection": new} for row in _rows(rows, "sources", old)])
        _insert_numbered(db, "successors", [{**row, "collection": new} for row in _rows(rows, "successors", old)])


def copy_judgements(source: Database, target: Database, old: str, new: str) -> None:
    """Thumbs up and down, in one transaction; `new` must have none. Raises StoreError."""
    with source.reading() as rows, target.transaction() as db:
        _insert_numbered(db, "judgements", [{**row, "collection": new} for row in _rows(rows, "judgements", old)])


def copy_runs(source: Database, target: Database, old: str, new: str) -> None:
    """Evaluation runs, in one transaction; `new` must have none. A taken name is given up. Raises StoreError."""
    with source.reading() as rows, target.transaction() as db:
        taken = {row["name"] for row in db.execute("SELECT name FROM runs WHERE name <> ''")}
        runs = [{**row, "collection": new} for row in _rows(rows, "runs", old)]
        _insert_numbered(db, "runs", [_run(row, new, taken) for row in runs])


# What is copied, by database: the function, and the tables that tell whether a collection has anything there.
COPIES: Mapping[str, tuple[Callable[[Database, Database, str, str], None], tuple[str, ...]]] = {
    "contactsheet.db": (copy_clusterings, ("revisions", "drafts")),
    "judgements.db": (copy_judgements, ("judgements",)),
    "quality.db": (copy_runs, ("runs",)),
}


def _numbers(db: sqlite3.Connection, revisions: list[int]) -> dict[int, int]:
    """The number that each revision gets, in the same order."""
    taken = {row["id"] for row in db.execute("SELECT id FROM revisions")}
    if taken.isdisjoint(revisions):
        return {number: number for number in revisions}
    (highest,) = db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'revisions'").fetchone()
    return {number: highest + position for position, number in enumerate(sorted(revisions), 1)}


def _publication(row: Row, new: str, numbers: Mapping[int, int]) -> Row:
    """Pruned revisions stay in the log; under new numbers nobody could tell which they were."""
    changed = {key: numbers.get(row[key], row[key]) for key in ("revision", "replaced")}
    return {**row, "collection": new, **changed}


def _draft(row: Row, new: str, numbers: Mapping[int, int], taken: set[str]) -> Row:
    draft_id = secrets.token_urlsafe(16) if row["id"] in taken else row["id"]
    return {**row, "id": draft_id, "collection": new, "parent": numbers.get(row["parent"])}


def _run(row: Row, new: str, taken: set[str]) -> Row:
    name = "" if row["name"] in taken else row["name"]
    document = {**json.loads(row["document"]), "collection": new, "name": name}
    return {**row, "name": name, "document": json.dumps(document, ensure_ascii=False)}


def _rows(db: sqlite3.Connection, table: str, collection: str) -> list[Row]:
    query = f"SELECT * FROM {table} WHERE collection = ? ORDER BY rowid"  # noqa: S608 - a table of ours
    if table in ("published", "assignments", "sources"):  # WITHOUT ROWID
        query = query.removesuffix(" ORDER BY rowid")
    return [dict(row) for row in db.execute(query, (collection,))]


def _insert(db: sqlite3.Connection, table: str, rows: list[Row]) -> None:
    if rows:
        columns = list(rows[0])
        values = ", ".join(f":{column}" for column in columns)
        query = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608 - columns of ours
        db.executemany(query, rows)


def _insert_numbered(db: sqlite3.Connection, table: str, rows: list[Row]) -> None:
    """Insert rows under their own numbers if all of these are free, else under new ones in the same order."""
    taken = {row["id"] for row in db.execute(f"SELECT id FROM {table}")}  # noqa: S608 - a table of ours
    free = taken.isdisjoint(row["id"] for row in rows)
    _insert(db, table, rows if free else [{**row, "id": None} for row in rows])
