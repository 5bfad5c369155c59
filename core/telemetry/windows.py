"""What happened in a span of time, from the roll-ups where they cover it and from single events at its edges."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from core.telemetry import exact
from core.telemetry.retention import EVENT_MS, horizons
from core.telemetry.rollups import COLUMNS, DAY_MS, EVENT_COLUMNS, EVER_MS, HOUR_MS, MINUTE_MS, Row, row_of, summed
from core.telemetry.sketch import Sketch
from core.telemetry.stages import STAGES

TOKENS = ("prompt", "cached", "output", "thought")
SERVICES = ("clip", "compute", "gemini")
_FIRST_MS, _LAST_MS = -(2**62), 2**62
_STEPS_MS = (
    *(minutes * MINUTE_MS for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR_MS for hours in (1, 2, 3, 6, 12)),
    *(days * DAY_MS for days in (1, 2, 7, 14, 28, 91, 364, 3640)),
)


@dataclass(frozen=True)
class Window:
    """Everything that happened in [since, until), of some kinds and collections.

    `reasons` counts fallbacks and errors by reason code, `outcomes_by_kind` requests by (kind, outcome). `stages` has
    all STAGES, `tokens` all TOKENS, `usd` all SERVICES: the float nearest to the sum of the events' amounts. `images`
    were decoded and handed over.
    """

    since: datetime
    until: datetime
    requests: int = 0
    errors: int = 0
    fallbacks: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    outcomes_by_kind: Mapping[tuple[str, str], int] = field(default_factory=dict)
    stages: Mapping[str, Sketch] = field(default_factory=lambda: dict.fromkeys(STAGES, Sketch()))
    tokens: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(TOKENS, 0))
    usd: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(SERVICES, 0.0))
    cache_hits: int = 0
    images: int = 0

    @classmethod
    def of(cls, since: datetime, until: datetime, rows: Sequence[Row]) -> Window:
        """What rows add up to."""
        if not rows:
            return cls(since, until)
        reasons, kinds = Counter[str](), Counter[tuple[str, str]]()
        for row in rows:
            kinds[row.kind, row.outcome] += row.requests
            if row.outcome != "ok":
                reasons[row.reason] += row.requests
        outcomes = Counter[str]()
        for (_, outcome), requests in kinds.items():
            outcomes[outcome] += requests
        whole = summed(rows)._asdict()
        return cls(
            since, until, whole["requests"], outcomes["error"], outcomes["fallback"], dict(reasons), dict(kinds),
            {stage: Sketch.from_bytes(whole[f"{stage}_ms"]) for stage in STAGES},
            {token: whole[f"{token}_tokens"] for token in TOKENS},
            {service: exact.usd(exact.unpacked(whole[f"{service}_usd"])) for service in SERVICES},
            whole["cache_hits"], whole["images"],
        )  # fmt: skip

    @property
    def total_usd(self) -> float:
        """What all of it cost."""
        return sum(self.usd.values())


@dataclass(frozen=True)
class Asked:
    """Which events are asked for: those of some kinds and of one collection; None is all."""

    kinds: tuple[str, ...] | None = None
    collection: str | None = None

    @property
    def condition(self) -> str:
        """To follow others in SQL; its values are `values`."""
        kinds = "" if self.kinds is None else f" AND kind IN ({', '.join('?' * len(self.kinds))})"
        return kinds + ("" if self.collection is None else " AND collection = ?")

    @property
    def values(self) -> tuple[str, ...]:
        return (*(self.kinds or ()), *(() if self.collection is None else (self.collection,)))


def window(db: sqlite3.Connection, since: datetime, until: datetime, asked: Asked) -> Window:
    """What happened in [since, until); where single events are no longer kept, from and to the full minute, hour or
    day before."""
    kept = horizons(db)
    since_ms, until_ms = snapped(milliseconds(since), kept), snapped(milliseconds(until), kept)
    rows = _unfolded(db, since_ms, until_ms, asked)
    for unit_ms, start_ms, end_ms in pieces(since_ms, until_ms):
        if unit_ms == EVENT_MS:
            rows += _folded(db, start_ms, end_ms, asked)
        else:
            rows += _rollups(db, unit_ms, start_ms, end_ms, asked)
    return Window.of(moment(since_ms), moment(until_ms), rows)


def series(db: sqlite3.Connection, since: datetime, until: datetime, points: int, asked: Asked) -> list[Window]:
    """At most about `points` windows of equal length, from the full minute, hour or day before `since` on."""
    since_ms, until_ms = milliseconds(since), milliseconds(until)
    least_ms = max((until_ms - since_ms) / max(points, 1), _unit_kept(since_ms, horizons(db)))
    step_ms = next((step for step in _STEPS_MS if step >= least_ms), _STEPS_MS[-1])
    since_ms -= since_ms % step_ms
    until_ms += -until_ms % step_ms
    unit_ms = next(unit for unit in (DAY_MS, HOUR_MS, MINUTE_MS) if step_ms % unit == 0)
    by_start = defaultdict[int, list[Row]](list)
    for row in _rollups(db, unit_ms, since_ms, until_ms, asked) + _unfolded(db, since_ms, until_ms, asked):
        by_start[row.at_ms - row.at_ms % step_ms].append(row)
    starts = range(since_ms, until_ms, step_ms)
    return [Window.of(moment(start), moment(start + step_ms), by_start[start]) for start in starts]


def totals(db: sqlite3.Connection, now: datetime) -> dict[tuple[str, str], Window]:
    """By kind and collection everything since the log began."""
    by_key = defaultdict[tuple[str, str], list[Row]](list)
    ever = Asked()
    for row in _rollups(db, EVER_MS, 0, 1, ever) + _unfolded(db, _FIRST_MS, _LAST_MS, ever):
        by_key[row.kind, row.collection].append(row)
    since = began_at(db) or now
    return {key: Window.of(since, now, rows) for key, rows in by_key.items()}


def began_at(db: sqlite3.Connection) -> datetime | None:
    """When the first event happened that was ever logged; None before it."""
    (folded_ms,) = db.execute("SELECT first_ms FROM folded").fetchone()
    (later_ms,) = db.execute("SELECT min(+at_ms) FROM events WHERE id > (SELECT event FROM folded)").fetchone()
    known = [at_ms for at_ms in (folded_ms, later_ms) if at_ms is not None]
    return moment(min(known)) if known else None


def snapped(at_ms: int, kept: Mapping[int, int]) -> int:
    """A moment as precisely as what is kept of its time can tell: to the millisecond, or the minute, hour or day."""
    unit_ms = _unit_kept(at_ms, kept)
    return at_ms - at_ms % unit_ms


def _unit_kept(at_ms: int, kept: Mapping[int, int]) -> int:
    finer = (unit for unit in (EVENT_MS, MINUTE_MS, HOUR_MS) if at_ms - at_ms % unit >= kept[unit])
    return next(finer, DAY_MS)


def pieces(
    since_ms: int, until_ms: int, units_ms: Sequence[int] = (DAY_MS, HOUR_MS, MINUTE_MS)
) -> Iterator[tuple[int, int, int]]:
    """A span as the fewest whole days, hours and minutes, and rests: (unit, start, end), which tile it."""
    if since_ms >= until_ms:
        return
    if not units_ms:
        yield EVENT_MS, since_ms, until_ms
        return
    unit_ms, *finer = units_ms
    start_ms, end_ms = since_ms + -since_ms % unit_ms, until_ms - until_ms % unit_ms
    if start_ms >= end_ms:
        yield from pieces(since_ms, until_ms, finer)
        return
    yield from pieces(since_ms, start_ms, finer)
    yield unit_ms, start_ms, end_ms
    yield from pieces(end_ms, until_ms, finer)


def milliseconds(at: datetime) -> int:
    """A moment as the log keeps it: milliseconds since 1970, UTC."""
    return round(at.timestamp() * 1000)


def moment(at_ms: int) -> datetime:
    """The moment of a number of milliseconds since 1970, UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _rollups(db: sqlite3.Connection, unit_ms: int, since_ms: int, until_ms: int, asked: Asked) -> list[Row]:
    query = f"SELECT {COLUMNS} FROM rollups WHERE unit_ms = ? AND at_ms >= ? AND at_ms < ?{asked.condition}"  # noqa: S608
    cursor = db.cursor()
    cursor.row_factory = None  # plain tuples: a view may read ten thousand rows
    return list(map(Row._make, cursor.execute(query, (unit_ms, since_ms, until_ms, *asked.values))))


def _unfolded(db: sqlite3.Connection, since_ms: int, until_ms: int, asked: Asked) -> list[Row]:
    # A plus keeps SQLite from an index: here it would walk all events of that time instead of the few latest numbers.
    return _events(db, "id > (SELECT event FROM folded)", "+at_ms", since_ms, until_ms, asked)


def _folded(db: sqlite3.Connection, since_ms: int, until_ms: int, asked: Asked) -> list[Row]:
    return _events(db, "+id <= (SELECT event FROM folded)", "at_ms", since_ms, until_ms, asked)


def _events(
    db: sqlite3.Connection, which: str, at: str, since_ms: int, until_ms: int, asked: Asked
) -> list[Row]:  # fmt: skip
    query = f"SELECT {EVENT_COLUMNS} FROM events WHERE {which} AND {at} >= ? AND {at} < ?{asked.condition}"  # noqa: S608
    return [row_of(row) for row in db.execute(query, (since_ms, until_ms, *asked.values))]
