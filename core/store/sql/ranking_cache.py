"""Rankings that were paid for once: kept across restarts, the longest unused ones dropped."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from core.store.sql.database import Database

MAX_ENTRIES = 5_000


class RankingCache:
    """A bounded cache of JSON documents by what was asked."""

    def __init__(self, database: Database, most: int = MAX_ENTRIES) -> None:
        self._database, self._most = database, most

    def get(self, asked: tuple[Any, ...]) -> Any | None:
        """What was kept for exactly this question, or None."""
        key = _key(asked)
        with self._database.transaction() as db:
            row = db.execute("SELECT document FROM rankings WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            db.execute("UPDATE rankings SET used = (SELECT max(used) + 1 FROM rankings) WHERE key = ?", (key,))
            return json.loads(row["document"])

    def put(self, asked: tuple[Any, ...], document: Any) -> None:
        """Keep a document; the one unused for longest goes where there are too many."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO rankings (key, document, used)"
                " VALUES (?, ?, (SELECT coalesce(max(used), 0) + 1 FROM rankings))",
                (_key(asked), json.dumps(document, ensure_ascii=False)),
            )
            db.execute(
                "DELETE FROM rankings WHERE key IN (SELECT key FROM rankings ORDER BY used DESC LIMIT -1 OFFSET ?)",
                (self._most,),
            )


def _key(asked: tuple[Any, ...]) -> str:
    return hashlib.sha256(json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()
