"""Roll-ups: what the requests of a minute, an hour, a day, and ever, add up to.

Events are added in the order of their numbers, up to a mark that moves in the same transaction: nothing is lost or
counted twice, however many processes do it and however late an event arrives. What lies beyond the mark is added to
what is read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from core.records.latency_sketch import LatencySketch
from core.store.sql import exact_usd as exact

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
ALL_TIME = 0  # the unit of the totals, all of which begin at 0
UNITS_MS = (MINUTE_MS, HOUR_MS, DAY_MS, ALL_TIME)
_MAX_INTEGER = 2**63 - 1  # the largest integer that SQLite holds

SCHEMA = """
    ALTER TABLE events ADD COLUMN images INTEGER NOT NULL DEFAULT 0;
    DROP INDEX events_by_time;
    CREATE INDEX events_by_time ON events (at_ms, kind, collection, total_ms, clip_usd, compute_usd, gemini_usd);
    CREATE TABLE rollups (
        unit_ms INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,
        collection TEXT NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL,
        requests INTEGER NOT NULL,
        cache_hits INTEGER NOT NULL,
        images INTEGER NOT NULL,
        prompt_tokens INTEGER NOT NULL,
        cached_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        thought_tokens INTEGER NOT NULL,
        clip_usd BLOB NOT NULL,
        compute_usd BLOB NOT NULL,
        gemini_usd BLOB NOT NULL,
        encode_ms BLOB NOT NULL,
        search_ms BLOB NOT NULL,
        rank_ms BLOB NOT NULL,
        load_ms BLOB NOT NULL,
        total_ms BLOB NOT NULL,
        PRIMARY KEY (unit_ms, at_ms, kind, collection, outcome, reason)
    ) WITHOUT ROWID;
    CREATE TABLE folded (event INTEGER NOT NULL, first_ms INTEGER);
    INSERT INTO folded VALUES (0, NULL);
    CREATE TABLE kept (unit_ms INTEGER PRIMARY KEY, since_ms INTEGER NOT NULL);
    INSERT INTO kept VALUES (1, 0), (60000, 0), (3600000, 0), (86400000, 0), (0, 0);
"""


class RollupRow(NamedTuple):
    """The requests of one kind, collection, outcome and reason since `at_ms`: counts, exact USD, sketches."""

    at_ms: int
    kind: str
    collection: str
    outcome: str
    reason: str
    requests: int
    cache_hits: int
    images: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    thought_tokens: int
    clip_usd: bytes
    compute_usd: bytes
    gemini_usd: bytes
    encode_ms: bytes
    search_ms: bytes
    rank_ms: bytes
    load_ms: bytes
    total_ms: bytes

    @property
    def key(self) -> tuple[int, str, str, str, str]:
        """What there is one row of in a roll-up."""
        return self.at_ms, self.kind, self.collection, self.outcome, self.reason


_COUNTS, _USD, _SKETCHES = slice(5, 12), slice(12, 15), slice(15, 20)
COLUMNS = ", ".join(RollupRow._fields)
EVENT_COLUMNS = COLUMNS.replace("requests", "1").replace("cache_hits", "cache_hit")


def row_from_event(event: sqlite3.Row) -> RollupRow:
    """An event, read as EVENT_COLUMNS, as the roll-up of itself alone."""
    values = tuple(event)
    usd = (exact.packed(exact.units(amount)) for amount in values[_USD])
    sketches = (b"" if ms is None else LatencySketch.of((ms,)).to_bytes() for ms in values[_SKETCHES])
    return RollupRow(*values[: _USD.start], *usd, *sketches)


def sum_rows(rows: Sequence[RollupRow]) -> RollupRow:
    """What rows add up to, under the key of the first."""
    columns = list(zip(*rows, strict=True))
    counts = (min(sum(column), _MAX_INTEGER) for column in columns[_COUNTS])
    usd = (exact.packed(exact.total(column)) for column in columns[_USD])
    sketches = (LatencySketch.total(column).to_bytes() for column in columns[_SKETCHES])
    return RollupRow(*rows[0].key, *counts, *usd, *sketches)


def group_rows(rows: Iterable[RollupRow], unit_ms: int) -> list[RollupRow]:
    """Rows summed by units of time (EVER_MS: all of it), kind, collection, outcome and reason."""
    placed = (row._replace(at_ms=row.at_ms - row.at_ms % unit_ms if unit_ms else 0) for row in rows)
    ordered = sorted(placed, key=lambda row: row.key)
    return [sum_rows(list(group)) for _, group in groupby(ordered, key=lambda row: row.key)]


def fold(db: sqlite3.Connection, most: int) -> int:
    """Add up to `most` events to all roll-ups; part of a transaction. Says how many there were."""
    after, first_ms = db.execute("SELECT event, first_ms FROM folded").fetchone()
    query = f"SELECT {EVENT_COLUMNS}, id FROM events WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - our own columns
    events = db.execute(query, (after, most)).fetchall()
    if not events:
        return 0
    rows = [row_from_event(event) for event in events]
    moments = [row.at_ms for row in rows]
    for unit_ms in UNITS_MS:
        rows = group_rows(rows, unit_ms)
        _add(db, unit_ms, rows)
    first_ms = min(moments if first_ms is None else [first_ms, *moments])
    db.execute("UPDATE folded SET event = ?, first_ms = ?", (events[-1]["id"], first_ms))
    return len(events)


def _add(db: sqlite3.Connection, unit_ms: int, rows: Iterable[RollupRow]) -> None:
    """Add to what there is; what is older than what is kept of this unit is in the coarser ones."""
    (since_ms,) = db.execute("SELECT since_ms FROM kept WHERE unit_ms = ?", (unit_ms,)).fetchone()
    key = "unit_ms = ? AND at_ms = ? AND kind = ? AND collection = ? AND outcome = ? AND reason = ?"
    for row in rows:
        if row.at_ms < since_ms:
            continue
        there = db.execute(f"SELECT {COLUMNS} FROM rollups WHERE {key}", (unit_ms, *row.key)).fetchone()  # noqa: S608
        whole = sum_rows([RollupRow(*there), row]) if there else row
        db.execute(f"INSERT OR REPLACE INTO rollups VALUES (?{', ?' * len(row)})", (unit_ms, *whole))  # noqa: S608
