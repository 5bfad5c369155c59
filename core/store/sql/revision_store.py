"""Saved clusterings and which of them is published, in SQLite.

The ids of the assets are stored once per collection version, so a revision holds its labels and its clusters only.
Every method is one transaction. A kill or a power cut at any moment leaves the state before it or after it, never one
between.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.errors import ClusterError, StoreError
from core.records.assets import utc_now
from core.records.clusterings import Clustering, ClusterRecord, Publication, Revision, RevisionConflict
from core.store.sql.database import Database

MAX_REVISION_NAME_LENGTH = 80
_ID_BYTES = 32
_COLUMNS = (
    "id, collection, collection_version, parent, threshold, plan, author, created_at, note, name, size, cluster_count,"
    " named_count, EXISTS (SELECT 1 FROM published WHERE revision = revisions.id) AS published"
)
_Number = TypeVar("_Number", np.uint8, np.int32, np.float32)


class _Encoded(NamedTuple):
    """A clustering as the tables hold it: asset ids ascending, labels and sketches by place in that order."""

    ids: NDArray[np.bytes_]
    labels: bytes
    centroids: bytes
    clusters: list[tuple[Any, ...]]


class RevisionStore:
    """The revisions of all collections. Methods that are given a revision's id raise ClusterError if it is gone."""

    def __init__(self, database: Database, now: Callable[[], datetime] = utc_now) -> None:
        self._database, self._now = database, now

    def save(
        self,
        collection: str,
        collection_version: str,
        parent: int | None,
        threshold: float,
        plan: Mapping[str, Any],
        clustering: Clustering,
        author: str,
        note: str,
    ) -> Revision:
        """Save a clustering that was made from `parent`, the collection's newest revision (None: there is none yet).

        Raises RevisionConflict if another revision was saved since, and ClusterError for a clustering that does not
        hold together: ids that are no SHA-256 or come twice, labels out of range, centroids not of unit length.
        """
        clustering.check()
        encoded, document, moment = _encoded(clustering), json.dumps(plan), self._now().isoformat()
        size, named = len(clustering.asset_ids), sum(c.confirmed and bool(c.name) for c in clustering.clusters)
        with self._database.transaction() as db:
            _require_newest(db, collection, parent)
            _keep_ids(db, collection, collection_version, encoded.ids)
            cursor = db.execute(
                "INSERT INTO revisions (collection, collection_version, parent, threshold, plan, author, created_at,"
                " note, size, cluster_count, named_count, labels, centroids)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    collection,
                    collection_version,
                    parent,
                    float(threshold),
                    document,
                    author,
                    moment,
                    note,
                    size,
                    len(encoded.clusters),
                    named,
                    encoded.labels,
                    encoded.centroids,
                ),
            )
            revision_id = int(cursor.lastrowid or 0)
            values = ", ".join("?" * 12)
            rows = ((revision_id, place, *row) for place, row in enumerate(encoded.clusters))
            db.executemany(f"INSERT INTO revision_clusters VALUES ({values})", rows)  # noqa: S608 - question marks
            return _get(db, revision_id)

    def restore(self, revision_id: int, author: str, note: str) -> Revision:
        """Save an old revision's plan and clustering once more, on top of the newest; nothing is rewritten.

        Raises RevisionConflict if someone saves at the same moment, StoreError if the old revision is damaged.
        """
        old, clustering = self.get(revision_id), self.clustering(revision_id)
        newest = self.newest(old.collection)
        return self.save(
            old.collection,
            old.collection_version,
            newest.id if newest else None,
            old.threshold,
            old.plan,
            clustering,
            author,
            note,
        )

    def get(self, revision_id: int) -> Revision:
        """One revision."""
        with self._database.reading() as db:
            return _get(db, revision_id)

    def clustering(self, revision_id: int) -> Clustering:
        """What was saved, asset ids in ascending order; arrays are read-only. Raises StoreError if it is damaged."""
        with self._database.reading() as db:
            about = _get(db, revision_id)
            (ids,) = db.execute(
                "SELECT ids FROM asset_lists WHERE collection = ? AND version = ?",
                (about.collection, about.collection_version),
            ).fetchone()
            query = "SELECT labels, centroids FROM revisions WHERE id = ?"
            labels, centroids = db.execute(query, (revision_id,)).fetchone()
            query = "SELECT * FROM revision_clusters WHERE revision = ? ORDER BY place"
            rows = db.execute(query, (revision_id,)).fetchall()
        return _decoded(about, ids, labels, centroids, rows)

    def list(self, collection: str, limit: int = 50) -> tuple[Revision, ...]:
        """The newest revisions first."""
        with self._database.reading() as db:
            query = f"SELECT {_COLUMNS} FROM revisions WHERE collection = ? ORDER BY id DESC LIMIT ?"  # noqa: S608
            return tuple(_revision(row) for row in db.execute(query, (collection, limit)))

    def newest(self, collection: str) -> Revision | None:
        """The revision that the next one has to be made from."""
        return next(iter(self.list(collection, 1)), None)

    def published(self, collection: str) -> Revision | None:
        """The revision that others rely on."""
        with self._database.reading() as db:
            revision_id = _published_id(db, collection)
            return None if revision_id is None else _get(db, revision_id)

    def publish(self, revision_id: int, author: str, expected: int | None) -> Revision:
        """Make a revision the published one, provided that `expected` is published now (None: none is).

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
        """Who published what, the latest first; pruned revisions stay in this log."""
        with self._database.reading() as db:
            query = "SELECT * FROM publications WHERE collection = ? ORDER BY id DESC LIMIT ?"
            return tuple(_publication(row) for row in db.execute(query, (collection, limit)))

    def name_revision(self, revision_id: int, name: str) -> Revision:
        """Give a revision a name, which keeps it from being pruned; an empty one takes the name away."""
        name = " ".join(name.split())
        if len(name) > MAX_REVISION_NAME_LENGTH:
            raise ClusterError(
                f"a revision's name has up to {MAX_REVISION_NAME_LENGTH} characters, not {len(name)}: shorten it"
            )
        with self._database.transaction() as db:
            db.execute("UPDATE revisions SET name = ? WHERE id = ?", (name, revision_id))
            return _get(db, revision_id)

    def prune(self, collection: str, keep: int) -> int:
        """Remove all but the `keep` newest revisions (at least 1), and say how many went.

        Older ones stay if they are published, have a name, or are the parent of a draft.
        """
        if keep < 1:
            raise ClusterError(f"at least the newest revision of {collection} is kept: keep 1 or more, not {keep}")
        with self._database.transaction() as db:
            gone = db.execute(
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
            return gone


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
    with _damage(f"revision {row['id']} of {row['collection']}"):
        values["plan"] = json.loads(row["plan"])
        values["created_at"] = datetime.fromisoformat(row["created_at"])
    return Revision(**{**values, "published": bool(row["published"])})


def _publication(row: sqlite3.Row) -> Publication:
    moment = datetime.fromisoformat(row["published_at"])
    return Publication(row["collection"], row["revision"], row["replaced"], row["author"], moment)


def _keep_ids(db: sqlite3.Connection, collection: str, version: str, ids: NDArray[np.bytes_]) -> None:
    db.execute("INSERT OR IGNORE INTO asset_lists VALUES (?, ?, ?)", (collection, version, _packed(ids)))
    query = "SELECT ids FROM asset_lists WHERE collection = ? AND version = ?"
    (kept,) = db.execute(query, (collection, version)).fetchone()
    with _damage(f"the list of assets of version {version} of {collection}"):
        same = zlib.decompress(kept) == ids.tobytes()
    if not same:
        raise ClusterError(
            f"the assets of this clustering are not those of version {version} of {collection}:"
            " read the collection again, then save"
        )


def _encoded(clustering: Clustering) -> _Encoded:
    # Numbers are made Python's own: SQLite would take NumPy's for bytes.
    raw = np.frombuffer(bytes.fromhex("".join(clustering.asset_ids)), f"S{_ID_BYTES}")
    order = np.argsort(raw)
    rows = {clustering.asset_ids[row]: place for place, row in enumerate(order.tolist())}
    clusters = [
        (
            c.id,
            c.name,
            bool(c.confirmed),
            c.description,
            int(c.size),
            float(c.threshold),
            bool(c.no_group),
            c.representative,
            float(c.cohesion),
            _packed(np.array([rows[i] for i in c.sketch], np.int32)),
        )
        for c in clustering.clusters
    ]
    centroids = _packed(np.array([c.centroid for c in clustering.clusters], np.float32))
    return _Encoded(raw[order], _packed(clustering.labels[order], level=1), centroids, clusters)


def _decoded(
    about: Revision, packed_ids: bytes, packed_labels: bytes, packed_centroids: bytes, rows: list[sqlite3.Row]
) -> Clustering:
    with _damage(f"revision {about.id} of {about.collection}"):
        digits = _unpacked(packed_ids, np.uint8).reshape(about.size, _ID_BYTES).tobytes().hex()
        ids = tuple(digits[at : at + 2 * _ID_BYTES] for at in range(0, len(digits), 2 * _ID_BYTES))
        labels = _unpacked(packed_labels, np.int32).reshape(about.size)
        flat = _unpacked(packed_centroids, np.float32)
        centroids = flat.reshape(about.cluster_count, len(flat) // max(about.cluster_count, 1))
        clusters = tuple(_cluster(row, ids, centroid) for row, centroid in zip(rows, centroids, strict=True))
    return Clustering(ids, labels, clusters)


def _cluster(row: sqlite3.Row, ids: tuple[str, ...], centroid: NDArray[np.float32]) -> ClusterRecord:
    return ClusterRecord(
        id=row["id"],
        name=row["name"],
        confirmed=bool(row["confirmed"]),
        description=row["description"],
        size=row["size"],
        threshold=row["threshold"],
        no_group=bool(row["no_group"]),
        representative=row["representative"],
        cohesion=row["cohesion"],
        centroid=centroid,
        sketch=tuple(ids[place] for place in _unpacked(row["sketch"], np.int32).tolist()),
    )


def _packed(array: NDArray[Any], level: int = 0) -> bytes:
    """The array's bytes with a checksum; level 0 for what would not shrink."""
    return zlib.compress(array.tobytes(), level)


def _unpacked(blob: bytes, dtype: type[_Number]) -> NDArray[_Number]:
    return np.frombuffer(zlib.decompress(blob), dtype)


@contextmanager
def _damage(what: str) -> Iterator[None]:
    try:
        yield
    except (zlib.error, ValueError, IndexError, TypeError) as error:
        raise StoreError(
            f"{what} is damaged ({error}): nothing was changed; restore the database from a backup,"
            " or go on from another revision"
        ) from error
