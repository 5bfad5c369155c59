"""The event log: one row per request, written before its answer is shown; any number of processes may write."""

from __future__ import annotations

import json
import logging
import sqlite3
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.errors import StoreError
from core.logs import log
from core.records.events import STAGES as STAGES
from core.records.events import Event, EventWindow, from_milliseconds, to_milliseconds
from core.records.money import pico_usd, usd
from core.store.sql import event_rollups as rollups
from core.store.sql import event_windows as windows
from core.store.sql.database import Database
from core.store.sql.event_retention import Retention, prune
from core.store.sql.event_windows import EventFilter
from core.store.sql.event_writer import EventWriter
from core.store.sql.migrations import EVENTS

FOLD_EVERY, FOLD_BATCH_SIZE = 256, 1024
COMPRESSION_THRESHOLD = 256  # characters: a longer detail is compressed

_COLUMNS = (
    "uid",
    "at_ms",
    "kind",
    "collection",
    "outcome",
    "reason",
    *(f"{stage}_ms" for stage in STAGES),
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "thought_tokens",
    "clip_pico_usd",
    "compute_pico_usd",
    "gemini_pico_usd",
    "model",
    "cache_hit",
    "detail",
    "images",
)
_INSERT = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608


class EventLog:
    """The events of all processes, in a database of their own. May be shared between threads."""

    def __init__(
        self,
        path: Path,
        retention: Retention = Retention(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = Database(path, EVENTS, durable=False, expendable=True)
        self._retention, self._now = retention, now
        self._writer = EventWriter(self._database)
        with suppress(StoreError):  # whoever reads or writes events is told
            while self._lag() >= FOLD_EVERY and self._try_fold():
                pass

    # -- writing --------------------------------------------------------------------------------------------

    def append(self, event: Event) -> None:
        """Write one event; every 256 events also add the latest ones to the roll-ups. Raises StoreError."""
        row = _row(event)
        with self._writer.transaction() as db:
            number = db.execute(_INSERT, row).lastrowid or 0
            (folded,) = db.execute("SELECT event FROM folded").fetchone()
        if number - folded >= FOLD_EVERY:
            self._try_fold()

    def try_append(self, event: Event) -> None:
        """Write one event; if that fails, the failure is logged and the request goes on."""
        try:
            self.append(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request was answered
            log("telemetry", "an event could not be written", logging.ERROR, error=str(error))

    def fold(self) -> None:
        """Add the oldest events that are not in the roll-ups yet to all of them, and delete what is too old.

        Raises StoreError.
        """
        with self._writer.transaction() as db:
            rollups.fold(db, FOLD_BATCH_SIZE)
            prune(db, self._retention, to_milliseconds(self._now()))

    def forget(self, collection: str) -> None:
        """Erase the details of a collection's events, its queries and receipts; times, counts and costs stay.

        Raises StoreError.
        """
        with self._writer.transaction() as db:
            db.execute("UPDATE events SET detail = '{}' WHERE collection = ?", (_storable(collection),))

    def _try_fold(self) -> bool:
        try:
            self.fold()
            return True
        except StoreError as error:  # the event is written; a later call adds it to the roll-ups
            log("telemetry", "events were not added up yet", logging.WARNING, error=str(error))
            return False

    def _lag(self) -> int:
        with self._database.reading() as db:
            query = "SELECT coalesce(max(id), 0) - (SELECT event FROM folded) FROM events"
            return int(db.execute(query).fetchone()[0])

    # -- single events --------------------------------------------------------------------------------------

    def get(self, uid: str) -> Event | None:
        """One event, or None if it was never written or has been deleted."""
        with self._database.reading() as db:
            row = db.execute("SELECT * FROM events WHERE uid = ?", (uid,)).fetchone()
            return _event(row) if row else None

    def latest(self, limit: int = 100) -> list[Event]:
        """The newest events first."""
        with self._database.reading() as db:
            return [_event(row) for row in db.execute("SELECT * FROM events ORDER BY id DESC LIMIT ?", (limit,))]

    def slowest(
        self,
        since: datetime,
        until: datetime,
        n: int = 10,
        kinds: Sequence[str] | None = None,
        collection: str | None = None,
    ) -> list[Event]:
        """The `n` slowest events in [since, until) of those still stored, the slowest first."""
        return self._top("total_ms", (since, until), n, _filter(kinds, collection))

    def most_expensive(
        self,
        since: datetime,
        until: datetime,
        n: int = 10,
        kinds: Sequence[str] | None = None,
        collection: str | None = None,
    ) -> list[Event]:
        """The `n` most expensive events in [since, until) of those still stored, the most expensive first."""
        cost = "clip_pico_usd + compute_pico_usd + gemini_pico_usd"
        return self._top(cost, (since, until), n, _filter(kinds, collection))

    def _top(self, measure: str, span: tuple[datetime, datetime], n: int, where: EventFilter) -> list[Event]:
        # The inner query is answered by a covering index, the outer one reads only the rows it found.
        ids = f"SELECT id FROM events WHERE at_ms >= ? AND at_ms < ?{where.condition} ORDER BY {measure} DESC LIMIT ?"  # noqa: S608
        query = f"SELECT * FROM events WHERE id IN ({ids}) ORDER BY {measure} DESC, id"  # noqa: S608
        values = (*map(to_milliseconds, span), *where.values, n)
        with self._database.reading() as db:
            return [_event(row) for row in db.execute(query, values)]

    # -- sums -----------------------------------------------------------------------------------------------

    def window(
        self, since: datetime, until: datetime, kinds: Sequence[str] | None = None, collection: str | None = None
    ) -> EventWindow:
        """The totals of [since, until), of some kinds and one collection (None: all).

        Its `since` and `until` are rounded to a minute, hour or day where single events are no longer stored.
        """
        with self._database.reading() as db:
            return windows.window(db, since, until, _filter(kinds, collection))

    def series(
        self,
        since: datetime,
        until: datetime,
        points: int,
        kinds: Sequence[str] | None = None,
        collection: str | None = None,
    ) -> list[EventWindow]:
        """The same as at most `points` + 1 windows of equal length, snapped outwards to its multiples; for charts."""
        with self._database.reading() as db:
            return windows.series(db, since, until, points, _filter(kinds, collection))

    def totals(self) -> dict[tuple[str, str], EventWindow]:
        """The totals since the log began by (kind, collection), including deleted events; they never decrease."""
        with self._database.reading() as db:
            return windows.totals(db, self._now())

    def began_at(self) -> datetime | None:
        """The time of the first event ever logged, None if there is none."""
        with self._database.reading() as db:
            return windows.began_at(db)


def _filter(kinds: Sequence[str] | None, collection: str | None) -> EventFilter:
    return EventFilter(None if kinds is None else tuple(kinds), None if collection is None else _storable(collection))


def _row(event: Event) -> tuple[Any, ...]:
    try:
        costs = tuple(map(pico_usd, (event.clip_usd, event.compute_usd, event.gemini_usd)))
    except ValueError as error:
        raise StoreError(f"the cost of event {event.uid}: {error}") from error
    return (
        event.uid,
        to_milliseconds(event.at),
        event.kind,
        _storable(event.collection),
        event.outcome,
        event.reason,
        *(event.stage_ms.get(stage) for stage in STAGES),
        event.prompt_tokens,
        event.cached_tokens,
        event.output_tokens,
        event.thought_tokens,
        *costs,
        event.model,
        int(event.cache_hit),
        _packed(event.detail),
        event.images,
    )


def _storable(text: str) -> str:
    """Escape lone surrogates, which a shell argument may contain and SQLite rejects (JSON escapes them itself)."""
    return text.encode("utf-8", "backslashreplace").decode()


def _packed(detail: Mapping[str, Any]) -> str | bytes:
    """JSON, compressed if it is long: the receipt of a ranked search has thousands of characters."""
    text = json.dumps(detail)
    return zlib.compress(text.encode()) if len(text) >= COMPRESSION_THRESHOLD else text


def _unpacked(detail: str | bytes) -> Any:
    return json.loads(zlib.decompress(detail) if isinstance(detail, bytes) else detail)


def _event(row: sqlite3.Row) -> Event:
    return Event(
        uid=row["uid"],
        kind=row["kind"],
        at=from_milliseconds(row["at_ms"]),
        collection=row["collection"],
        outcome=row["outcome"],
        reason=row["reason"],
        stage_ms={stage: row[f"{stage}_ms"] for stage in STAGES if row[f"{stage}_ms"] is not None},
        prompt_tokens=row["prompt_tokens"],
        cached_tokens=row["cached_tokens"],
        output_tokens=row["output_tokens"],
        thought_tokens=row["thought_tokens"],
        clip_usd=usd(row["clip_pico_usd"]),
        compute_usd=usd(row["compute_pico_usd"]),
        gemini_usd=usd(row["gemini_pico_usd"]),
        model=row["model"],
        cache_hit=bool(row["cache_hit"]),
        detail=_unpacked(row["detail"]),
        images=row["images"],
    )
