"""Roll-ups: the totals of the requests of a minute, an hour, a day, and of all time.

Events are added in the order of their ids, up to a mark that moves in the same transaction: nothing is lost or counted
twice, however many processes do it and however late an event arrives. Readers add the events beyond the mark.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from core.records.latency_sketch import LatencySketch

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
ALL_TIME = 0  # the unit of the all-time totals, which all start at 0
UNITS_MS = (MINUTE_MS, HOUR_MS, DAY_MS, ALL_TIME)
_MAX_INTEGER = 2**63 - 1  # the largest integer that SQLite holds


class RollupRow(NamedTuple):
    """The requests of one kind, collection, outcome and reason in a unit of time: counts, pico-USD, sketches."""

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
    clip_pico_usd: int
    compute_pico_usd: int
    gemini_pico_usd: int
    encode_ms: bytes
    search_ms: bytes
    rank_ms: bytes
    load_ms: bytes
    total_ms: bytes

    @property
    def key(self) -> tuple[int, str, str, str, str]:
        """The primary key within one unit."""
        return self.at_ms, self.kind, self.collection, self.outcome, self.reason


_SUMS, _SKETCHES = slice(5, 15), slice(15, 20)
COLUMNS = ", ".join(RollupRow._fields)
EVENT_COLUMNS = COLUMNS.replace("requests", "1").replace("cache_hits", "cache_hit")


def row_from_event(event: sqlite3.Row) -> RollupRow:
    """The roll-up of a single event, read as EVENT_COLUMNS."""
    values = tuple(event)
    sketches = (b"" if ms is None else LatencySketch.from_values((ms,)).to_bytes() for ms in values[_SKETCHES])
    return RollupRow(*values[: _SKETCHES.start], *sketches)


def sum_rows(rows: Sequence[RollupRow]) -> RollupRow:
    """The sum of rows, under the key of the first."""
    columns = list(zip(*rows, strict=True))
    sums = (min(sum(column), _MAX_INTEGER) for column in columns[_SUMS])
    sketches = (LatencySketch.merge_all(column).to_bytes() for column in columns[_SKETCHES])
    return RollupRow(*rows[0].key, *sums, *sketches)


def group_rows(rows: Iterable[RollupRow], unit_ms: int) -> list[RollupRow]:
    """Rows summed by units of time (ALL_TIME: all of it), kind, collection, outcome and reason."""
    truncated = (row._replace(at_ms=row.at_ms - row.at_ms % unit_ms if unit_ms else 0) for row in rows)
    ordered = sorted(truncated, key=lambda row: row.key)
    return [sum_rows(list(group)) for _, group in groupby(ordered, key=lambda row: row.key)]


def fold(db: sqlite3.Connection, max_events: int) -> int:
    """Add up to `max_events` events to all roll-ups, within a transaction; returns how many there were."""
    after, first_ms = db.execute("SELECT event, first_ms FROM folded").fetchone()
    query = f"SELECT {EVENT_COLUMNS}, id FROM events WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - our own columns
    events = db.execute(query, (after, max_events)).fetchall()
    if not events:
        return 0
    rows = [row_from_event(event) for event in events]
    times_ms = [row.at_ms for row in rows]
    for unit_ms in UNITS_MS:
        rows = group_rows(rows, unit_ms)
        _add(db, unit_ms, rows)
    first_ms = min(times_ms if first_ms is None else [first_ms, *times_ms])
    db.execute("UPDATE folded SET event = ?, first_ms = ?", (events[-1]["id"], first_ms))
    return len(events)


def _add(db: sqlite3.Connection, unit_ms: int, rows: Iterable[RollupRow]) -> None:
    """Add rows to the stored ones; those older than the retention of this unit are in coarser units only."""
    (since_ms,) = db.execute("SELECT since_ms FROM kept WHERE unit_ms = ?", (unit_ms,)).fetchone()
    key = "unit_ms = ? AND at_ms = ? AND kind = ? AND collection = ? AND outcome = ? AND reason = ?"
    for row in rows:
        if row.at_ms < since_ms:
            continue
        stored = db.execute(f"SELECT {COLUMNS} FROM rollups WHERE {key}", (unit_ms, *row.key)).fetchone()  # noqa: S608
        total = sum_rows([RollupRow(*stored), row]) if stored else row
        values = f"VALUES (?{', ?' * len(row)})"
        db.execute(f"INSERT OR REPLACE INTO rollups (unit_ms, {COLUMNS}) {values}", (unit_ms, *total))
