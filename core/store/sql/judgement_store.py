"""Thumbs up and down on search results, one per owner, query and picture, in a database of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from core.errors import QueryError
from core.records.judgements import Judgement, JudgementCounts, RecordedJudgement, Voter
from core.store.sql.daily_alias import daily_alias
from core.store.sql.database import Database
from core.store.sql.migrations import JUDGEMENTS

MAX_JUDGEMENTS = 200_000
MAX_QUERY_LENGTH = 2_000
_COLUMNS = "collection, query, asset_id, up, model, ranker, position, blind"
# What counts as one, by query and picture: someone with a name; an address on a day; and all of these together.
_VOICES = """
    WITH heads AS (
        SELECT collection, query, asset_id, coalesce('visitor:' || visitor, owner) AS head,
            visitor IS NOT NULL AS unnamed, sum(2 * up - 1) AS votes
        FROM judgements WHERE {condition} GROUP BY collection, query, asset_id, head, unnamed
    ), voices AS (
        SELECT collection, query, asset_id, iif(unnamed, '', head) AS voice, sum(sign(votes)) AS votes
        FROM heads GROUP BY collection, query, asset_id, voice
    )
"""


class JudgementStore:
    """The judgements of all processes; every method is one transaction.

    Above a maximum the oldest are deleted, those of people without a name first. These have one voice together, which
    says what most of them say, where each address counts once a day: they never outvote someone with a name, and one
    visitor with many sessions never outvotes the others. An address is kept as an alias of its day (see `daily_alias`).
    """

    def __init__(
        self,
        path: Path,
        max_judgements: int = MAX_JUDGEMENTS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        created_before: Sequence[Path] = (),
    ) -> None:
        """For `created_before` see `Database`."""
        self._database = Database(path, JUDGEMENTS, created_before=created_before)
        self._max_judgements, self._now = max_judgements, now

    def save(self, judgement: Judgement, voter: Voter) -> None:
        """Store a judgement; it replaces the owner's earlier one of the same picture for the same query.

        Raises QueryError for an empty or overlong query.
        """
        query = normalize_query(judgement.query)
        if not 0 < len(query) <= MAX_QUERY_LENGTH:
            raise QueryError(f"the query has {len(query)} characters, judged are those of 1 to {MAX_QUERY_LENGTH}")
        now = self._now()
        row = (
            voter.name,
            judgement.collection,
            query,
            judgement.asset_id,
            judgement.up,
            judgement.model,
            judgement.ranker,
            judgement.position,
            judgement.blind,
            _ms(now),
            voter.owner,
        )
        with self._database.transaction() as db:
            visitor = _visitor_alias(db, now, voter)
            db.execute(f"INSERT OR REPLACE INTO judgements VALUES (NULL{', ?' * 12})", (*row, visitor))  # noqa: S608
            (count,) = db.execute("SELECT count(*) FROM judgements").fetchone()
            if count > self._max_judgements:
                surplus = "SELECT id FROM judgements ORDER BY visitor IS NULL, id LIMIT ?"
                db.execute(
                    f"DELETE FROM judgements WHERE id IN ({surplus})",  # noqa: S608 - fixed
                    (count - self._max_judgements,),
                )

    def delete(self, owner: str, collection: str, query: str, asset_id: str) -> bool:
        """Delete the owner's judgement; False if there was none."""
        with self._database.transaction() as db:
            deleted = db.execute(
                "DELETE FROM judgements WHERE owner = ? AND collection = ? AND query = ? AND asset_id = ?",
                (owner, collection, normalize_query(query), asset_id),
            )
            return deleted.rowcount > 0

    def forget(self, collection: str) -> None:
        """Delete all judgements of a collection."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM judgements WHERE collection = ?", (collection,))

    def by_owner(self, owner: str, collection: str, query: str) -> dict[str, bool]:
        """The owner's thumbs for a query: up (True) or down by asset id."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT asset_id, up FROM judgements WHERE owner = ? AND collection = ? AND query = ?",
                (owner, collection, normalize_query(query)),
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
        condition = "at_ms >= ? AND at_ms < ? AND collection = coalesce(?, collection) AND ranker = coalesce(?, ranker)"
        with self._database.reading() as db:
            up, total = db.execute(
                f"{_VOICES.format(condition=condition)}"  # noqa: S608 - fixed
                "SELECT coalesce(sum(votes > 0), 0), coalesce(sum(votes <> 0), 0) FROM voices",
                (_ms(since), _ms(until), collection, ranker),
            ).fetchone()
            return int(up), int(total)

    def tallies(self, collection: str) -> list[JudgementCounts]:
        """The thumbs of all people, counted by query and picture."""
        with self._database.reading() as db:
            rows = db.execute(
                f"{_VOICES.format(condition='collection = ?')}"  # noqa: S608 - fixed
                "SELECT query, asset_id, sum(votes > 0) AS up, sum(votes < 0) AS down FROM voices"
                " GROUP BY query, asset_id ORDER BY query, asset_id",
                (collection,),
            )
            return [JudgementCounts(**dict(row)) for row in rows]


def _visitor_alias(db: sqlite3.Connection, now: datetime, voter: Voter) -> str | None:
    if voter.unnamed_visitor is None:
        return None
    return daily_alias(db, now.date().isoformat(), voter.unnamed_visitor)


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
