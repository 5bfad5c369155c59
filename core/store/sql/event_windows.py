"""Totals of a time span, from the roll-ups where they cover it and from single events at its edges."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.records.events import COST_SERVICES, STAGES, TOKEN_TYPES, EventWindow, from_milliseconds, to_milliseconds
from core.records.latency_sketch import LatencySketch
from core.records.money import usd
from core.store.sql.event_retention import EVENT_MS, retained_since
from core.store.sql.event_rollups import (
    ALL_TIME,
    COLUMNS,
    DAY_MS,
    EVENT_COLUMNS,
    HOUR_MS,
    MINUTE_MS,
    RollupRow,
    row_from_event,
    sum_rows,
)

_FIRST_MS, _LAST_MS = -(2**62), 2**62
_STEPS_MS = (
    *(minutes * MINUTE_MS for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR_MS for hours in (1, 2, 3, 6, 12)),
    *(days * DAY_MS for days in (1, 2, 7, 14, 28, 91, 364, 3640)),
)


@dataclass(frozen=True)
class EventFilter:
    """Selects events of some kinds and of one collection; None selects all."""

    kinds: tuple[str, ...] | None = None
    collection: str | None = None

    @property
    def condition(self) -> str:
        """A condition to append to others in SQL; its parameters are `values`."""
        kinds = "" if self.kinds is None else f" AND kind IN ({', '.join('?' * len(self.kinds))})"
        return kinds + ("" if self.collection is None else " AND collection = ?")

    @property
    def values(self) -> tuple[str, ...]:
        return (*(self.kinds or ()), *(() if self.collection is None else (self.collection,)))


def window_from_rows(since: datetime, until: datetime, rows: Sequence[RollupRow]) -> EventWindow:
    """The `EventWindow` of [since, until) from its rows."""
    if not rows:
        return EventWindow(since, until)
    reasons, kinds = Counter[str](), Counter[tuple[str, str]]()
    for row in rows:
        kinds[row.kind, row.outcome] += row.requests
        if row.outcome != "ok":
            reasons[row.reason] += row.requests
    outcomes = Counter[str]()
    for (_, outcome), requests in kinds.items():
        outcomes[outcome] += requests
    total = sum_rows(rows)._asdict()
    return EventWindow(
        since,
        until,
        requests=total["requests"],
        errors=outcomes["error"],
        fallbacks=outcomes["fallback"],
        reasons=dict(reasons),
        outcomes_by_kind=dict(kinds),
        stages={stage: LatencySketch.from_bytes(total[f"{stage}_ms"]) for stage in STAGES},
        tokens={token: total[f"{token}_tokens"] for token in TOKEN_TYPES},
        usd={service: usd(total[f"{service}_pico_usd"]) for service in COST_SERVICES},
        cache_hits=total["cache_hits"],
        images=total["images"],
    )


def window(db: sqlite3.Connection, since: datetime, until: datetime, where: EventFilter) -> EventWindow:
    """The totals of [since, until), each rounded down to a minute, hour or day where single events are deleted."""
    retained = retained_since(db)
    since_ms, until_ms = snap(to_milliseconds(since), retained), snap(to_milliseconds(until), retained)
    rows = _unfolded(db, since_ms, until_ms, where)
    for unit_ms, start_ms, end_ms in split_span(since_ms, until_ms):
        if unit_ms == EVENT_MS:
            rows += _folded(db, start_ms, end_ms, where)
        else:
            rows += _rollups(db, unit_ms, start_ms, end_ms, where)
    return window_from_rows(from_milliseconds(since_ms), from_milliseconds(until_ms), rows)


def series(
    db: sqlite3.Connection, since: datetime, until: datetime, points: int, where: EventFilter
) -> list[EventWindow]:
    """At most about `points` windows of equal length, starting at the full minute, hour or day before `since`."""
    since_ms, until_ms = to_milliseconds(since), to_milliseconds(until)
    min_step_ms = max((until_ms - since_ms) / max(points, 1), _finest_unit(since_ms, retained_since(db)))
    step_ms = next((step for step in _STEPS_MS if step >= min_step_ms), _STEPS_MS[-1])
    since_ms -= since_ms % step_ms
    until_ms += -until_ms % step_ms
    unit_ms = next(unit for unit in (DAY_MS, HOUR_MS, MINUTE_MS) if step_ms % unit == 0)
    by_start = defaultdict[int, list[RollupRow]](list)
    for row in _rollups(db, unit_ms, since_ms, until_ms, where) + _unfolded(db, since_ms, until_ms, where):
        by_start[row.at_ms - row.at_ms % step_ms].append(row)
    starts = range(since_ms, until_ms, step_ms)
    return [
        window_from_rows(from_milliseconds(start), from_milliseconds(start + step_ms), by_start[start])
        for start in starts
    ]


def totals(db: sqlite3.Connection, now: datetime) -> dict[tuple[str, str], EventWindow]:
    """The totals since the log began, by kind and collection."""
    by_key = defaultdict[tuple[str, str], list[RollupRow]](list)
    everything = EventFilter()
    for row in _rollups(db, ALL_TIME, 0, 1, everything) + _unfolded(db, _FIRST_MS, _LAST_MS, everything):
        by_key[row.kind, row.collection].append(row)
    since = began_at(db) or now
    return {key: window_from_rows(since, now, rows) for key, rows in by_key.items()}


def began_at(db: sqlite3.Connection) -> datetime | None:
    """The time of the first event ever logged, None if there is none."""
    (folded_ms,) = db.execute("SELECT first_ms FROM folded").fetchone()
    (unfolded_ms,) = db.execute("SELECT min(+at_ms) FROM events WHERE id > (SELECT event FROM folded)").fetchone()
    known = [at_ms for at_ms in (folded_ms, unfolded_ms) if at_ms is not None]
    return from_milliseconds(min(known)) if known else None


def snap(at_ms: int, retained: Mapping[int, int]) -> int:
    """A time rounded down to the finest unit still stored for it: the millisecond, minute, hour or day."""
    unit_ms = _finest_unit(at_ms, retained)
    return at_ms - at_ms % unit_ms


def _finest_unit(at_ms: int, retained: Mapping[int, int]) -> int:
    finer = (unit for unit in (EVENT_MS, MINUTE_MS, HOUR_MS) if at_ms - at_ms % unit >= retained[unit])
    return next(finer, DAY_MS)


def split_span(
    since_ms: int, until_ms: int, units_ms: Sequence[int] = (DAY_MS, HOUR_MS, MINUTE_MS)
) -> Iterator[tuple[int, int, int]]:
    """Tile a span with the fewest whole days, hours and minutes, and remainders: (unit, start, end)."""
    if since_ms >= until_ms:
        return
    if not units_ms:
        yield EVENT_MS, since_ms, until_ms
        return
    unit_ms, *finer = units_ms
    start_ms, end_ms = since_ms + -since_ms % unit_ms, until_ms - until_ms % unit_ms
    if start_ms >= end_ms:
        yield from split_span(since_ms, until_ms, finer)
        return
    yield from split_span(since_ms, start_ms, finer)
    yield unit_ms, start_ms, end_ms
    yield from split_span(end_ms, until_ms, finer)


def _rollups(db: sqlite3.Connection, unit_ms: int, since_ms: int, until_ms: int, where: EventFilter) -> list[RollupRow]:
    query = f"SELECT {COLUMNS} FROM rollups WHERE unit_ms = ? AND at_ms >= ? AND at_ms < ?{where.condition}"  # noqa: S608
    cursor = db.cursor()
    cursor.row_factory = None  # plain tuples: a view may read ten thousand rows
    return list(map(RollupRow._make, cursor.execute(query, (unit_ms, since_ms, until_ms, *where.values))))


def _unfolded(db: sqlite3.Connection, since_ms: int, until_ms: int, where: EventFilter) -> list[RollupRow]:
    # The plus keeps SQLite from using the time index: it would read all events of the span, not the few latest ids.
    return _events(db, "id > (SELECT event FROM folded)", "+at_ms", since_ms, until_ms, where)


def _folded(db: sqlite3.Connection, since_ms: int, until_ms: int, where: EventFilter) -> list[RollupRow]:
    return _events(db, "+id <= (SELECT event FROM folded)", "at_ms", since_ms, until_ms, where)


def _events(
    db: sqlite3.Connection, condition: str, at: str, since_ms: int, until_ms: int, where: EventFilter
) -> list[RollupRow]:
    query = f"SELECT {EVENT_COLUMNS} FROM events WHERE {condition} AND {at} >= ? AND {at} < ?{where.condition}"  # noqa: S608
    return [row_from_event(row) for row in db.execute(query, (since_ms, until_ms, *where.values))]
