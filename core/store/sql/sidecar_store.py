"""The runs that wrote sidecars, with what is needed to undo them, in SQLite.

They are not copied with a single collection that is restored: they are about files beside the originals, which may be
others by then. A backup of everything has them, as part of the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

from core.errors import ContactSheetError
from core.records.assets import utc_now
from core.records.sidecars import SidecarRun, WrittenSidecar
from core.store.sql.database import Database

_RUNS = (
    "SELECT r.*, (SELECT count(*) FROM sidecar_files f WHERE f.run = r.id) AS files FROM sidecar_runs r"
    " WHERE collection = ?"
)


class SidecarStore:
    """The runs of all collections. Every method is one transaction."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database, self._now = database, now

    def begin(self, collection: str, revision: int, author: str) -> int:
        """Start a run; returns its number."""
        with self._database.transaction() as db:
            query = "INSERT INTO sidecar_runs (collection, revision, author, written_at) VALUES (?, ?, ?, ?)"
            return int(db.execute(query, (collection, revision, author, self._now().isoformat())).lastrowid or 0)

    def add(self, run: int, files: Sequence[WrittenSidecar]) -> None:
        """Record what is about to be written, before it is."""
        with self._database.transaction() as db:
            query = "INSERT INTO sidecar_files (run, uri, packed, before, after) VALUES (?, ?, ?, ?, ?)"
            db.executemany(query, [(run, file.uri, file.packed, file.before, file.after) for file in files])

    def runs(self, collection: str) -> list[SidecarRun]:
        """The runs of a collection that wrote anything that is not undone, the latest first."""
        with self._database.reading() as db:
            return [_run(row) for row in db.execute(_RUNS + " ORDER BY id DESC", (collection,)) if row["files"]]

    def run(self, collection: str, run: int) -> SidecarRun:
        """A run of a collection. Raises ContactSheetError if there is none of this number."""
        with self._database.reading() as db:
            row = db.execute(_RUNS + " AND id = ?", (collection, run)).fetchone()
        if row is None:
            raise ContactSheetError(
                f"{collection} has no run {run} that wrote sidecars: python -m core write-sidecars {collection}"
                " --list names those that can be undone"
            )
        return _run(row)

    def files(self, run: int) -> list[WrittenSidecar]:
        """The files of a run that are not undone, in the order in which they were written."""
        with self._database.reading() as db:
            rows = db.execute("SELECT * FROM sidecar_files WHERE run = ? ORDER BY id", (run,))
            return [WrittenSidecar(row["uri"], row["packed"], row["before"], row["after"]) for row in rows]

    def remove(self, run: int, uris: Sequence[str]) -> None:
        """Forget files of a run: they are undone, or were never written."""
        with self._database.transaction() as db:
            db.executemany("DELETE FROM sidecar_files WHERE run = ? AND uri = ?", [(run, uri) for uri in uris])

    def forget(self, collection: str) -> None:
        """Delete the runs of a collection; the sidecars stay."""
        with self._database.transaction() as db:
            own = "SELECT id FROM sidecar_runs WHERE collection = ?"
            db.execute(f"DELETE FROM sidecar_files WHERE run IN ({own})", (collection,))  # noqa: S608 - ours
            db.execute("DELETE FROM sidecar_runs WHERE collection = ?", (collection,))


def _run(row: sqlite3.Row) -> SidecarRun:
    written_at = datetime.fromisoformat(row["written_at"])
    return SidecarRun(row["id"], row["collection"], row["revision"], row["author"], written_at, row["files"])
