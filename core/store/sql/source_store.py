"""The sources of collections, and which pictures took the place of others when their files were changed, in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from core.records.assets import utc_now
from core.records.sources import UPLOADS, CollectionSource, SourceKind
from core.records.successors import Successors, resolved
from core.store.objects.names import path_to_uri
from core.store.sql.database import Database


class SourceStore:
    """The sources of all collections. Every method is one transaction.

    Uploads lie in the data folder, which may be moved: their root is where they are now.
    """

    def __init__(self, database: Database, uploads: Path, now: Callable[[], datetime] = utc_now) -> None:
        """`uploads` holds a folder of uploaded files for each collection."""
        self._database, self._uploads, self._now = database, uploads, now

    def list(self, collection: str) -> tuple[CollectionSource, ...]:
        """The sources of a collection, in the order in which they were added."""
        with self._database.reading() as db:
            query = "SELECT * FROM sources WHERE collection = ? ORDER BY added_at, root"
            return tuple(self._source(row) for row in db.execute(query, (collection,)))

    def put(self, collection: str, source: CollectionSource) -> None:
        """Add a source, or change what is known of it; the time it was added and the last scan stay."""
        root, exclude = _stored_root(source.root, source.kind), json.dumps(source.exclude)
        row = (collection, root, source.kind, source.label, source.captions, exclude)
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO sources (collection, root, kind, label, captions, exclude, added_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (collection, root) DO UPDATE SET kind = excluded.kind,"
                " label = excluded.label, captions = excluded.captions, exclude = excluded.exclude",
                (*row, self._now().isoformat()),
            )

    def set_scanned(self, collection: str, source: CollectionSource) -> None:
        """Record that a source was read to its end."""
        with self._database.transaction() as db:
            query = "UPDATE sources SET scanned_at = ? WHERE collection = ? AND root = ?"
            db.execute(query, (self._now().isoformat(), collection, _stored_root(source.root, source.kind)))

    def remove(self, collection: str, source: CollectionSource) -> None:
        """Remove a source, if it is there."""
        with self._database.transaction() as db:
            query = "DELETE FROM sources WHERE collection = ? AND root = ?"
            db.execute(query, (collection, _stored_root(source.root, source.kind)))

    def successors(self, collection: str) -> Successors:
        """Which pictures of a collection took the place of others."""
        with self._database.reading() as db:
            query = "SELECT old_id, new_id FROM successors WHERE collection = ? ORDER BY id"
            return resolved((row["old_id"], row["new_id"]) for row in db.execute(query, (collection,)))

    def add_successors(self, collection: str, replaced: Mapping[str, str]) -> None:
        """Record that pictures were replaced by others, the new id by the old one; by itself: it is back."""
        current = self.successors(collection).by_id
        rows = [(collection, old, new) for old, new in replaced.items() if current.get(old, old) != new]
        if rows:
            with self._database.transaction() as db:
                db.executemany("INSERT INTO successors (collection, old_id, new_id) VALUES (?, ?, ?)", rows)

    def _source(self, row: sqlite3.Row) -> CollectionSource:
        uploaded = row["kind"] == UPLOADS
        return CollectionSource(
            root=path_to_uri((self._uploads / row["collection"]).resolve()) if uploaded else row["root"],
            label=row["label"],
            kind=row["kind"],
            captions=row["captions"],
            exclude=tuple(json.loads(row["exclude"])),
            added_at=datetime.fromisoformat(row["added_at"]),
            scanned_at=datetime.fromisoformat(row["scanned_at"]) if row["scanned_at"] else None,
        )

    def set_returned(self, collection: str, asset_ids: Iterable[str]) -> None:
        """Record that pictures are back: nothing takes their place any more."""
        self.add_successors(collection, {asset_id: asset_id for asset_id in asset_ids})

    def forget(self, collection: str) -> None:
        """Delete all sources and successors of a collection."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM sources WHERE collection = ?", (collection,))
            db.execute("DELETE FROM successors WHERE collection = ?", (collection,))


def _stored_root(root: str, kind: SourceKind) -> str:
    return UPLOADS if kind == UPLOADS else root
