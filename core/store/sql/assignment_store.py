"""Where assets went that arrived after a revision was saved, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime

from core.errors import ClusterError
from core.records.assets import utc_now
from core.records.clusterings import Assignment
from core.store.sql.database import Database


class AssignmentStore:
    """The newcomers of all revisions; they go when their revision is pruned. Every method is one transaction."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database, self._now = database, now

    def add(self, collection: str, revision: int, rows: Iterable[tuple[str, str, float]]) -> None:
        """Note newcomers as (asset id, cluster id, cosine similarity); an asset that is noted already stays put.

        Raises ClusterError if the collection has no such revision.
        """
        moment = self._now().isoformat()
        with self._database.transaction() as db:
            query = "SELECT 1 FROM revisions WHERE collection = ? AND id = ?"
            if db.execute(query, (collection, revision)).fetchone() is None:
                raise ClusterError(f"{collection} has no revision {revision}: assign to the published one")
            db.executemany(
                "INSERT INTO assignments VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                ((collection, revision, asset, cluster, float(cosine), moment) for asset, cluster, cosine in rows),
            )

    def of(self, collection: str, revision: int) -> list[Assignment]:
        """The newcomers of a revision, by asset id."""
        with self._database.reading() as db:
            query = "SELECT * FROM assignments WHERE collection = ? AND revision = ? ORDER BY asset_id"
            return [_assignment(row) for row in db.execute(query, (collection, revision))]

    def clear(self, collection: str, revision: int) -> None:
        """Forget the newcomers of a revision."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM assignments WHERE collection = ? AND revision = ?", (collection, revision))


def _assignment(row: sqlite3.Row) -> Assignment:
    return Assignment(
        asset_id=row["asset_id"],
        cluster_id=row["cluster_id"],
        similarity=row["similarity"],
        revision=row["revision"],
        assigned_at=datetime.fromisoformat(row["assigned_at"]),
    )
