"""What people think of results: a thumb up or down per person, query and picture, which they can take back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from core.errors import QueryError
from core.records.judgements import Judgement, RecordedJudgement, Tally
from core.store.sql.database import Database

MAX_JUDGEMENTS = 200_000
MAX_QUERY_LENGTH = 2_000
_MIGRATIONS = (
    """
    CREATE TABLE judgements (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        author TEXT NOT NULL,
        collection TEXT NOT NULL,
        query TEXT NOT NULL,
        asset_id TEXT NOT NULL,
        up INTEGER NOT NULL,
        model TEXT NOT NULL,
        ranker TEXT NOT NULL,
        position INTEGER NOT NULL,
        blind INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        UNIQUE (author, collection, query, asset_id)
    );
    CREATE INDEX judgements_by_time ON judgements (at_ms);
    CREATE INDEX judgements_by_collection ON judgements (collection, query);
    """,
)
_COLUMNS = "collection, query, asset_id, up, model, ranker, position, blind"


class JudgementStore:
    """The judgements of all processes; every method is one transaction. The oldest go where there are too many."""

    def __init__(
        self, path: Path, most: int = MAX_JUDGEMENTS, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database, self._most, self._now = Database(path, _MIGRATIONS), most, now

    def put(self, judged: Judgement, author: str) -> None:
        """Keep what `author` thinks; it replaces what they thought of the same picture for the same query before.

        Raises QueryError for an empty or overlong query.
        """
        query = normalize_query(judged.query)
        if not 0 < len(query) <= MAX_QUERY_LENGTH:
            raise QueryError(f"the query has {len(query)} characters, judged are those of 1 to {MAX_QUERY_LENGTH}")
        row = (
            author,
            judged.collection,
            query,
            judged.asset_id,
            judged.up,
            judged.model,
            judged.ranker,
            judged.position,
            judged.blind,
            _ms(self._now()),
        )
        with self._database.transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO judgements VALUES (NULL{', ?' * 10})", row)  # noqa: S608 - no text
            db.execute(
                "DELETE FROM judgements WHERE id <= (SELECT id FROM judgements ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (self._most,),
            )

    def take_back(self, author: str, collection: str, query: str, asset_id: str) -> bool:
        """Forget what `author` thought; whether there was anything to forget."""
        with self._database.transaction() as db:
            gone = db.execute(
                "DELETE FROM judgements WHERE author = ? AND collection = ? AND query = ? AND asset_id = ?",
                (author, collection, normalize_query(query), asset_id),
            )
            return gone.rowcount > 0

    def of(self, author: str, collection: str, query: str) -> dict[str, bool]:
        """What `author` thinks of the results of a query: thumb up or down by asset id."""
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
            return [_opinion(row) for row in rows]

    def counts(
        self, since: datetime, until: datetime, collection: str | None = None, ranker: str | None = None
    ) -> tuple[int, int]:
        """Thumbs up and thumbs in all from `since` (included) to `until` (not included)."""
        with self._database.reading() as db:
            up, total = db.execute(
                "SELECT coalesce(sum(up), 0), count(*) FROM judgements WHERE at_ms >= ? AND at_ms < ?"
                " AND collection = coalesce(?, collection) AND ranker = coalesce(?, ranker)",
                (_ms(since), _ms(until), collection, ranker),
            ).fetchone()
            return int(up), int(total)

    def tallies(self, collection: str) -> list[Tally]:
        """The thumbs of all people, by query and picture."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT query, asset_id, sum(up) AS up, sum(1 - up) AS down FROM judgements WHERE collection = ?"
                " GROUP BY query, asset_id ORDER BY query, asset_id",
                (collection,),
            )
            return [Tally(**dict(row)) for row in rows]


def normalize_query(query: str) -> str:
    """A query as searches compare it: one space between words; halves of characters, which SQLite refuses, replaced."""
    return " ".join(query.split()).encode("utf-8", "replace").decode()


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _opinion(row: sqlite3.Row) -> RecordedJudgement:
    judged = Judgement(
        row["collection"],
        row["query"],
        row["asset_id"],
        bool(row["up"]),
        row["model"],
        row["ranker"],
        row["position"],
        bool(row["blind"]),
    )
    return RecordedJudgement(judged, row["author"], datetime.fromtimestamp(row["at_ms"] / 1000, UTC))
