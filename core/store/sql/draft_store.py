"""Curators' unsaved work in SQLite, written with every edit.

A write that has returned survives a kill of any process and a power cut.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from core.errors import ClusterError, StoreError
from core.records.clusterings import Draft, DraftConflict
from core.store.sql.database import Database

MAX_DRAFTS = 200
STALE_AFTER = timedelta(days=90)


class DraftStore:
    """The drafts of all collections; every method is one transaction. `new_id` generates url-safe, unguessable ids."""

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(16),
    ) -> None:
        self._database, self._now, self._new_id = database, now, new_id

    def create(self, collection: str, parent: int | None, history: Mapping[str, Any], author: str, owner: str) -> Draft:
        """Create a draft on top of a revision, or of none.

        A collection holds up to 200 drafts. If it is full, drafts that were not updated for 90 days are deleted, the
        oldest first. Raises ClusterError if there are none, or if the revision does not exist.
        """
        now, draft_id, document = self._now(), self._new_id(), json.dumps(history)
        with self._database.transaction() as db:
            _require_revision(db, collection, parent)
            self._delete_stale(db, collection, now)
            db.execute(
                "INSERT INTO drafts (id, collection, parent, author, owner, created_at, updated_at, history)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (draft_id, collection, parent, author, owner, _text(now), _text(now), document),
            )
            return _get(db, draft_id)

    def get(self, draft_id: str) -> Draft:
        """One draft. Raises ClusterError if it does not exist any more."""
        with self._database.reading() as db:
            return _get(db, draft_id)

    def update(self, draft_id: str, history: Mapping[str, Any], expected_version: int) -> Draft:
        """Replace a draft's history, if the draft is still at `expected_version`.

        Raises DraftConflict, with the current draft, if it was updated elsewhere meanwhile, and ClusterError if it does
        not exist any more.
        """
        changes = {"history": json.dumps(history)}
        return self._update(draft_id, expected_version, changes)

    def hand_over(self, draft_id: str, expected_version: int, author: str, owner: str) -> Draft:
        """Give a draft to someone else, if it is still at `expected_version`. Raises as `update` does."""
        return self._update(draft_id, expected_version, {"author": author, "owner": owner})

    def _update(self, draft_id: str, expected_version: int, changes: Mapping[str, str]) -> Draft:
        columns = ", ".join(f"{column} = ?" for column in changes)
        values = (*changes.values(), _text(self._now()), draft_id, expected_version)
        with self._database.transaction() as db:
            cursor = db.execute(
                f"UPDATE drafts SET {columns}, updated_at = ?, version = version + 1"  # noqa: S608 - names of columns
                " WHERE id = ? AND version = ?",
                values,
            )
            draft = _get(db, draft_id)
            if cursor.rowcount == 0:
                raise DraftConflict(
                    f"draft {draft_id} was changed elsewhere (it is at version {draft.version}, not"
                    f" {expected_version}): nothing was written; take over what it holds now, then repeat the edit",
                    draft,
                )
            return draft

    def latest_of(self, collection: str, owner: str) -> Draft | None:
        """The draft of this owner that was updated last."""
        with self._database.reading() as db:
            query = "SELECT * FROM drafts WHERE collection = ? AND owner = ? ORDER BY updated_at DESC, rowid DESC"
            row = db.execute(query, (collection, owner)).fetchone()
            return _draft(row) if row else None

    def list(self, collection: str) -> tuple[Draft, ...]:
        """All drafts of a collection, the most recently updated first."""
        with self._database.reading() as db:
            query = "SELECT * FROM drafts WHERE collection = ? ORDER BY updated_at DESC, rowid DESC"
            return tuple(_draft(row) for row in db.execute(query, (collection,)))

    def delete(self, draft_id: str) -> None:
        """Delete a draft, if it still exists."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM drafts WHERE id = ?", (draft_id,))

    def forget(self, collection: str) -> None:
        """Delete all drafts of a collection."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM drafts WHERE collection = ?", (collection,))

    def _delete_stale(self, db: sqlite3.Connection, collection: str, now: datetime) -> None:
        query = "SELECT id, updated_at FROM drafts WHERE collection = ? ORDER BY updated_at DESC, rowid DESC"
        surplus = db.execute(query, (collection,)).fetchall()[MAX_DRAFTS - 1 :]
        if any(row["updated_at"] >= _text(now - STALE_AFTER) for row in surplus):
            raise ClusterError(
                f"{collection} has {MAX_DRAFTS} drafts, all of them touched within {STALE_AFTER.days} days:"
                " discard one, then try again"
            )
        db.executemany("DELETE FROM drafts WHERE id = ?", [(row["id"],) for row in surplus])


def _require_revision(db: sqlite3.Connection, collection: str, revision: int | None) -> None:
    query = "SELECT 1 FROM revisions WHERE collection = ? AND id = ?"
    if revision is not None and db.execute(query, (collection, revision)).fetchone() is None:
        raise ClusterError(f"{collection} has no revision {revision}: begin from one that is there")


def _get(db: sqlite3.Connection, draft_id: str) -> Draft:
    row = db.execute("SELECT * FROM drafts WHERE id = ?", (draft_id,)).fetchone()
    if row is None:
        raise ClusterError(f"there is no draft {draft_id!r}: it was saved or discarded; begin a new one")
    return _draft(row)


def _draft(row: sqlite3.Row) -> Draft:
    try:
        history = json.loads(row["history"])
    except ValueError as error:
        raise StoreError(
            f"draft {row['id']} of {row['collection']} is damaged ({error}): nothing was changed;"
            " discard it, or restore the database from a backup"
        ) from error
    return Draft(
        id=row["id"],
        collection=row["collection"],
        parent=row["parent"],
        history=history,
        author=row["author"],
        owner=row["owner"],
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
        version=row["version"],
    )


def _text(at: datetime) -> str:
    """A time (UTC) as text that sorts chronologically."""
    return at.isoformat(timespec="microseconds")
