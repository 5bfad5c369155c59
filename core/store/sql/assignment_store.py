"""The clusters of assets that were added after a revision was saved, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime

from core.errors import ClusterError
from core.records.assets import utc_now
from core.records.clusterings import Assignment
from core.store.sql.database import Database


class AssignmentStore:
    """The assignments of all revisions; pruning a revision deletes its own. Every method is one transaction."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database, self._now = database, now

    def add(self, collection: str, revision: int, rows: Iterable[tuple[str, str, float]]) -> None:
        """Store (asset id, cluster id, cosine similarity) rows; an asset that is assigned already keeps its cluster.

        Raises ClusterError if the collection has no such revision.
        """
        assigned_at = self._now().isoformat()
        with self._database.transaction() as db:
            query = "SELECT 1 FROM revisions WHERE collection = ? AND id = ?"
            if db.execute(query, (collection, revision)).fetchone() is None:
                raise ClusterError(f"{collection} has no revision {revision}: assign to the published one")
            db.executemany(
                "INSERT INTO assignments VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                ((collection, revision, asset, cluster, float(cosine), assigned_at) for asset, cluster, cosine in rows),
            )

    def for_revision(self, collection: str, revision: int) -> list[Assignment]:
        """The assignments of a revision, by asset id."""
        with self._database.reading() as db:
            query = "SELECT * FROM assignments WHERE collection = ? AND revision = ? ORDER BY asset_id"
            return [_assignment(row) for row in db.execute(query, (collection, revision))]

    def clear(self, collection: str, revision: int) -> None:
        """Delete the assignments of a revision."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM assignments WHERE collection = ? AND revision = ?", (collection, revision))

    def forget(self, collection: str) -> None:
        """Delete all assignments of a collection."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM assignments WHERE collection = ?", (collection,))


def _assignment(row: sqlite3.Row) -> Assignment:
    return Assignment(
        asset_id=row["asset_id"],
        cluster_id=row["cluster_id"],
        similarity=row["similarity"],
        revision=row["revision"],
        assigned_at=datetime.fromisoformat(row["assigned_at"]),
    )
