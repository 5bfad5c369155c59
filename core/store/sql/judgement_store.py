"""Thumbs up and down on search results, one per person, query and picture, in a database of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from core.errors import QueryError
from core.records.judgements import Judgement, JudgementCounts, RecordedJudgement
from core.store.sql.database import Database
from core.store.sql.migrations import JUDGEMENTS

MAX_JUDGEMENTS = 200_000
MAX_QUERY_LENGTH = 2_000
_COLUMNS = "collection, query, asset_id, up, model, ranker, position, blind"


class JudgementStore:
    """The judgements of all processes; every method is one transaction. Above a maximum the oldest are deleted."""

    def __init__(
        self, path: Path, max_judgements: int = MAX_JUDGEMENTS, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database, self._max_judgements, self._now = Database(path, JUDGEMENTS), max_judgements, now

    def save(self, judgement: Judgement, author: str) -> None:
        """Store a judgement; it replaces the author's earlier one of the same picture for the same query.

        Raises QueryError for an empty or overlong query.
        """
        query = normalize_query(judgement.query)
        if not 0 < len(query) <= MAX_QUERY_LENGTH:
            raise QueryError(f"the query has {len(query)} characters, judged are those of 1 to {MAX_QUERY_LENGTH}")
        row = (
            author,
            judgement.collection,
            query,
            judgement.asset_id,
            judgement.up,
            judgement.model,
            judgement.ranker,
            judgement.position,
            judgement.blind,
            _ms(self._now()),
        )
        with self._database.transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO judgements VALUES (NULL{', ?' * 10})", row)  # noqa: S608 - no text
            db.execute(
                "DELETE FROM judgements WHERE id <= (SELECT id FROM judgements ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (self._max_judgements,),
            )

    def delete(self, author: str, collection: str, query: str, asset_id: str) -> bool:
        """Delete the author's judgement; False if there was none."""
        with self._database.transaction() as db:
            deleted = db.execute(
                "DELETE FROM judgements WHERE author = ? AND collection = ? AND query = ? AND asset_id = ?",
                (author, collection, normalize_query(query), asset_id),
            )
            return deleted.rowcount > 0

    def forget(self, collection: str) -> None:
        """Delete all judgements of a collection."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM judgements WHERE collection = ?", (collection,))

    def by_author(self, author: str, collection: str, query: str) -> dict[str, bool]:
        """The author's thumbs for a query: up (True) or down by asset id."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT asset_id, up FROM judgements WHERE author = ? AND collection = ? AND query = ?",
                (author, collection, normalize_query(query)),
            )
            return {row["asset_id"]: bool(row["up"]) for row in rows}

    def latest(self, limit: int = 100) -> list[RecordedJudgement]:
        """The newest judgements first."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS}, author, at_ms FROM judgements ORDER BY id DESC LIMIT ?",  # noqa: S608 - fixed
                (limit,),
            )
            return [_recorded_judgement(row) for row in rows]

    def counts(
        self, since: datetime, until: datetime, collection: str | None = None, ranker: str | None = None
    ) -> tuple[int, int]:
        """The number of thumbs up, and of all thumbs, in [since, until)."""
        with self._database.reading() as db:
            up, total = db.execute(
                "SELECT coalesce(sum(up), 0), count(*) FROM judgements WHERE at_ms >= ? AND at_ms < ?"
                " AND collection = coalesce(?, collection) AND ranker = coalesce(?, ranker)",
                (_ms(since), _ms(until), collection, ranker),
            ).fetchone()
            return int(up), int(total)

    def tallies(self, collection: str) -> list[JudgementCounts]:
        """The thumbs of all people, counted by query and picture."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT query, asset_id, sum(up) AS up, sum(1 - up) AS down FROM judgements WHERE collection = ?"
                " GROUP BY query, asset_id ORDER BY query, asset_id",
                (collection,),
            )
            return [JudgementCounts(**dict(row)) for row in rows]


def normalize_query(query: str) -> str:
    """A query with single spaces, as searches compare it; lone surrogates, which SQLite rejects, are replaced."""
    return " ".join(query.split()).encode("utf-8", "replace").decode()


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _recorded_judgement(row: sqlite3.Row) -> RecordedJudgement:
    judgement = Judgement(
        row["collection"],
        row["query"],
        row["asset_id"],
        bool(row["up"]),
        row["model"],
        row["ranker"],
        row["position"],
        bool(row["blind"]),
    )
    return RecordedJudgement(judgement, row["author"], datetime.fromtimestamp(row["at_ms"] / 1000, UTC))
