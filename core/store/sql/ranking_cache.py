"""Rankings that were paid for once: cached across restarts, the least recently used ones evicted."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from core.store.sql.database import Database

MAX_ENTRIES = 5_000


class RankingCache:
    """A bounded cache of JSON documents by request."""

    def __init__(self, database: Database, max_entries: int = MAX_ENTRIES) -> None:
        self._database, self._max_entries = database, max_entries

    def get(self, request: tuple[Any, ...]) -> Any | None:
        """The document cached for exactly this request, or None."""
        key = _key(request)
        with self._database.transaction() as db:
            row = db.execute("SELECT document FROM rankings WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            db.execute("UPDATE rankings SET used = (SELECT max(used) + 1 FROM rankings) WHERE key = ?", (key,))
            return json.loads(row["document"])

    def put(self, request: tuple[Any, ...], document: Any, collection: str) -> None:
        """Cache a document about pictures of a collection; above the maximum the least recently used one is evicted."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO rankings (key, document, collection, used)"
                " VALUES (?, ?, ?, (SELECT coalesce(max(used), 0) + 1 FROM rankings))",
                (_key(request), json.dumps(document, ensure_ascii=False), collection),
            )
            db.execute(
                "DELETE FROM rankings WHERE key IN (SELECT key FROM rankings ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (self._max_entries,),
            )

    def forget(self, collection: str) -> None:
        """Delete the rankings of a collection, and those of unknown collections, from before this was recorded."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM rankings WHERE collection = ? OR collection IS NULL", (collection,))


def _key(request: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps(request, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
