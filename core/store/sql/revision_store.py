"""Saved clusterings and which of them is published, in SQLite.

The asset ids are stored once per collection version, so a revision itself has only labels and clusters. Every method is
one transaction: a kill or a power cut at any moment leaves the state before or after it, never one in between.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.errors import ClusterError, DataDamaged
from core.records.assets import utc_now
from core.records.clusterings import Clustering, NewRevision, Publication, Revision, RevisionConflict
from core.store.sql.clustering_encoding import EncodedClustering, decode, encode, pack, wrap_damage
from core.store.sql.database import Database
from core.text import one_line

MAX_REVISION_NAME_LENGTH = 80
_COLUMNS = (
    "id, collection, collection_version, parent, threshold, plan, author, created_at, note, name, size, cluster_count,"
    " named_count, EXISTS (SELECT 1 FROM published WHERE revision = revisions.id) AS published"
)
# Tables with rows of a collection; those that refer to others come first.
_TABLES = ("drafts", "published", "publications", "assignments", "revisions", "asset_lists")


class RevisionStore:
    """The revisions of all collections. Methods that take a revision's id raise ClusterError if it does not exist."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database, self._now = database, now

    def save(self, new: NewRevision) -> Revision:
        """Save a clustering on top of `parent`, the collection's newest revision (None: there is none yet).

        Raises RevisionConflict if another revision was saved since, and ClusterError for an inconsistent clustering:
        ids that are not SHA-256 or are repeated, labels out of range, centroids not of unit length.
        """
        new.clustering.validate()
        encoded, created_at = encode(new.clustering), self._now().isoformat()
        with self._database.transaction() as db:
            _require_newest(db, new.collection, new.parent)
            _store_ids(db, new.collection, new.collection_version, encoded.ids)
            revision_id = _insert(db, new, encoded, created_at)
            rows = ((revision_id, position, *row) for position, row in enumerate(encoded.clusters))
            db.executemany(f"INSERT INTO revision_clusters VALUES (?{', ?' * 11})", rows)  # noqa: S608 - question marks
            return _get(db, revision_id)

    def restore(self, revision_id: int, author: str, note: str) -> Revision:
        """Save an old revision's plan and clustering again, on top of the newest; nothing is rewritten.

        Raises RevisionConflict if someone saves at the same moment, StoreError if the old revision is damaged.
        """
        old, clustering = self.get(revision_id), self.clustering(revision_id)
        newest = self.newest(old.collection)
        new = NewRevision(
            collection=old.collection,
            collection_version=old.collection_version,
            parent=newest.id if newest else None,
            threshold=old.threshold,
            plan=old.plan,
            clustering=clustering,
            author=author,
            note=note,
        )
        return self.save(new)

    def get(self, revision_id: int) -> Revision:
        """One revision."""
        with self._database.reading() as db:
            return _get(db, revision_id)

    def clustering(self, revision_id: int) -> Clustering:
        """The saved clustering, asset ids ascending, arrays read-only. Raises StoreError if it is damaged."""
        with self._database.reading() as db:
            revision = _get(db, revision_id)
            (ids,) = db.execute(
                "SELECT ids FROM asset_lists WHERE collection = ? AND version = ?",
                (revision.collection, revision.collection_version),
            ).fetchone()
            query = "SELECT labels, centroids FROM revisions WHERE id = ?"
            labels, centroids = db.execute(query, (revision_id,)).fetchone()
            query = "SELECT * FROM revision_clusters WHERE revision = ? ORDER BY place"
            rows = db.execute(query, (revision_id,)).fetchall()
        return decode(revision, ids, labels, centroids, rows)

    def list(self, collection: str, limit: int = 50) -> tuple[Revision, ...]:
        """The newest revisions first."""
        with self._database.reading() as db:
            query = f"SELECT {_COLUMNS} FROM revisions WHERE collection = ? ORDER BY id DESC LIMIT ?"  # noqa: S608
            return tuple(_revision(row) for row in db.execute(query, (collection, limit)))

    def damaged(self, collection: str) -> dict[int, str]:
        """The revisions that cannot be read, each with what is wrong. Raises StoreError if not even their ids can."""
        with self._database.reading() as db:
            query = "SELECT id FROM revisions WHERE collection = ? ORDER BY id"
            ids = [int(row["id"]) for row in db.execute(query, (collection,))]
        found = {}
        for revision_id in ids:
            try:
                self.clustering(revision_id)
            except ClusterError:  # it was just deleted
                continue
            except DataDamaged as error:
                found[revision_id] = str(error)
        return found

    def newest(self, collection: str) -> Revision | None:
        """The newest revision, which the next one must have as its parent."""
        return next(iter(self.list(collection, 1)), None)

    def published(self, collection: str) -> Revision | None:
        """The published revision."""
        with self._database.reading() as db:
            revision_id = _published_id(db, collection)
            return None if revision_id is None else _get(db, revision_id)

    def publish(self, revision_id: int, author: str, expected: int | None) -> Revision:
        """Publish a revision if `expected` is the published one now (None: none is).

        Raises RevisionConflict, with the revision that is published, if someone else was faster.
        """
        with self._database.transaction() as db:
            collection = _get(db, revision_id).collection
            _require_published(db, collection, expected)
            db.execute("INSERT OR REPLACE INTO published VALUES (?, ?)", (collection, revision_id))
            db.execute(
                "INSERT INTO publications (collection, revision, replaced, author, published_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (collection, revision_id, expected, author, self._now().isoformat()),
            )
            return _get(db, revision_id)

    def publications(self, collection: str, limit: int = 50) -> tuple[Publication, ...]:
        """The log of publications, the latest first; pruned revisions stay in it."""
        with self._database.reading() as db:
            query = "SELECT * FROM publications WHERE collection = ? ORDER BY id DESC LIMIT ?"
            return tuple(_publication(row) for row in db.execute(query, (collection, limit)))

    def set_name(self, revision_id: int, name: str) -> Revision:
        """Name a revision, which protects it from pruning; an empty name removes it."""
        name = one_line(name)
        if len(name) > MAX_REVISION_NAME_LENGTH:
            raise ClusterError(
                f"a revision's name has up to {MAX_REVISION_NAME_LENGTH} characters, not {len(name)}: shorten it"
            )
        with self._database.transaction() as db:
            db.execute("UPDATE revisions SET name = ? WHERE id = ?", (name, revision_id))
            return _get(db, revision_id)

    def prune(self, collection: str, keep: int) -> int:
        """Delete all but the `keep` newest revisions (at least 1); returns how many were deleted.

        Older ones stay if they are published, have a name, or are the parent of a draft.
        """
        if keep < 1:
            raise ClusterError(f"at least the newest revision of {collection} is kept: keep 1 or more, not {keep}")
        with self._database.transaction() as db:
            deleted = db.execute(
                "DELETE FROM revisions WHERE collection = :collection AND name = ''"
                " AND id NOT IN (SELECT id FROM revisions WHERE collection = :collection ORDER BY id DESC LIMIT :keep)"
                " AND id NOT IN (SELECT revision FROM published)"
                " AND id NOT IN (SELECT parent FROM drafts WHERE parent IS NOT NULL)",
                {"collection": collection, "keep": keep},
            ).rowcount
            db.execute(
                "DELETE FROM asset_lists WHERE collection = :collection AND version NOT IN"
                " (SELECT collection_version FROM revisions WHERE collection = :collection)",
                {"collection": collection},
            )
            return deleted

    def forget(self, collection: str) -> None:
        """Delete all revisions and publications of a collection, with the drafts and assignments that refer to them."""
        with self._database.transaction() as db:
            for table in _TABLES:
                db.execute(f"DELETE FROM {table} WHERE collection = ?", (collection,))  # noqa: S608 - names from above


def _insert(db: sqlite3.Connection, new: NewRevision, encoded: EncodedClustering, created_at: str) -> int:
    clusters = new.clustering.clusters
    columns = {
        "collection": new.collection,
        "collection_version": new.collection_version,
        "parent": new.parent,
        "threshold": float(new.threshold),
        "plan": json.dumps(new.plan),
        "author": new.author,
        "created_at": created_at,
        "note": new.note,
        "size": len(new.clustering.asset_ids),
        "cluster_count": len(clusters),
        "named_count": sum(c.confirmed and bool(c.name) for c in clusters),
        "labels": encoded.labels,
        "centroids": encoded.centroids,
    }
    values = ", ".join(f":{name}" for name in columns)
    query = f"INSERT INTO revisions ({', '.join(columns)}) VALUES ({values})"  # noqa: S608 - names from above
    return int(db.execute(query, columns).lastrowid or 0)


def _require_newest(db: sqlite3.Connection, collection: str, parent: int | None) -> None:
    (newest,) = db.execute("SELECT max(id) FROM revisions WHERE collection = ?", (collection,)).fetchone()
    if newest is None and parent is not None:
        raise ClusterError(f"{collection} has no revision {parent} to save on top of: save without a parent")
    if newest != parent:
        other = _get(db, newest)
        raise RevisionConflict(
            f"{other.author} saved revision {newest} of {collection} after yours was begun: nothing was saved;"
            f" compare the two, then save yours on top of revision {newest}",
            other,
        )


def _require_published(db: sqlite3.Connection, collection: str, expected: int | None) -> None:
    current = _published_id(db, collection)
    if current is None and expected is not None:
        raise ClusterError(f"{collection} has no published revision, so not {expected}: publish as the first")
    if current is not None and current != expected:
        raise RevisionConflict(
            f"revision {current} of {collection} was published meanwhile: nothing was changed;"
            " compare yours with it, then publish again",
            _get(db, current),
        )


def _get(db: sqlite3.Connection, revision_id: int) -> Revision:
    row = db.execute(f"SELECT {_COLUMNS} FROM revisions WHERE id = ?", (revision_id,)).fetchone()  # noqa: S608
    if row is None:
        raise ClusterError(f"there is no revision {revision_id}: it may have been pruned; choose another")
    return _revision(row)


def _published_id(db: sqlite3.Connection, collection: str) -> int | None:
    row = db.execute("SELECT revision FROM published WHERE collection = ?", (collection,)).fetchone()
    return row["revision"] if row else None


def _revision(row: sqlite3.Row) -> Revision:
    values = dict(row)
    with wrap_damage(f"revision {row['id']} of {row['collection']}"):
        values["plan"] = json.loads(row["plan"])
        values["created_at"] = datetime.fromisoformat(row["created_at"])
    return Revision(**{**values, "published": bool(row["published"])})


def _publication(row: sqlite3.Row) -> Publication:
    published_at = datetime.fromisoformat(row["published_at"])
    return Publication(row["collection"], row["revision"], row["replaced"], row["author"], published_at)


def _store_ids(db: sqlite3.Connection, collection: str, version: str, ids: NDArray[np.bytes_]) -> None:
    db.execute("INSERT OR IGNORE INTO asset_lists VALUES (?, ?, ?)", (collection, version, pack(ids)))
    query = "SELECT ids FROM asset_lists WHERE collection = ? AND version = ?"
    (stored,) = db.execute(query, (collection, version)).fetchone()
    with wrap_damage(f"the list of assets of version {version} of {collection}"):
        same = zlib.decompress(stored) == ids.tobytes()
    if not same:
        raise ClusterError(
            f"the assets of this clustering are not those of version {version} of {collection}:"
            " read the collection again, then save"
        )
