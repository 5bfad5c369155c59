"""The event log: one row per request, written before its answer is shown; any number of processes may write."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from core.errors import StoreError
from core.logs import log
from core.store.database import Database

STAGES = ("encode", "search", "rank", "load", "total")
Outcome = Literal["ok", "fallback", "error"]

_MIGRATIONS = (
    """
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        uid TEXT NOT NULL UNIQUE,
        at_ms INTEGER NOT NULL,
        kind TEXT NOT NULL,
        collection TEXT NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL,
        encode_ms REAL, search_ms REAL, rank_ms REAL, load_ms REAL, total_ms REAL,
        prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL, thought_tokens INTEGER NOT NULL,
        clip_usd REAL NOT NULL, compute_usd REAL NOT NULL, gemini_usd REAL NOT NULL,
        model TEXT NOT NULL,
        cache_hit INTEGER NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE INDEX events_by_time ON events (at_ms);
    """,
)


@dataclass(frozen=True)
class Event:
    """One request: what it was, how it ended, what it took (milliseconds, tokens) and cost (USD by service).

    `reason` is a short code where the outcome is not `ok`; `detail` is a JSON document, a receipt for instance.
    """

    uid: str
    kind: str
    at: datetime
    collection: str = ""
    outcome: Outcome = "ok"
    reason: str = ""
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    thought_tokens: int = 0
    clip_usd: float = 0.0
    compute_usd: float = 0.0
    gemini_usd: float = 0.0
    model: str = ""
    cache_hit: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)


class EventLog:
    """The events of all processes, in a database of their own."""

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _MIGRATIONS, durable=False)

    def append(self, event: Event) -> None:
        """Write one event. Raises StoreError."""
        with self._database.transaction() as db:
            db.execute(f"INSERT INTO events VALUES (NULL{', ?' * 21})", _row(event))  # noqa: S608 - no outside text

    def note(self, event: Event) -> None:
        """Write one event; a log that cannot be written costs nobody their answer."""
        try:
            self.append(event)
        except StoreError as error:
            log("telemetry", "an event could not be written", logging.ERROR, error=str(error))

    def get(self, uid: str) -> Event | None:
        """One event, or None if it was never written or is too old to be kept."""
        with self._database.reading() as db:
            row = db.execute("SELECT * FROM events WHERE uid = ?", (uid,)).fetchone()
            return _event(row) if row else None

    def latest(self, limit: int = 100) -> list[Event]:
        """The newest events first."""
        with self._database.reading() as db:
            return [_event(row) for row in db.execute("SELECT * FROM events ORDER BY id DESC LIMIT ?", (limit,))]


def _row(event: Event) -> tuple[Any, ...]:
    return (
        event.uid, round(event.at.timestamp() * 1000), event.kind, _storable(event.collection), event.outcome,
        event.reason,
        *(event.stage_ms.get(stage) for stage in STAGES),
        event.prompt_tokens, event.cached_tokens, event.output_tokens, event.thought_tokens,
        event.clip_usd, event.compute_usd, event.gemini_usd, event.model, int(event.cache_hit),
        json.dumps(event.detail),
    )  # fmt: skip


def _storable(text: str) -> str:
    """SQLite takes no halves of characters, which a shell's arguments may hold; JSON escapes them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _event(row: sqlite3.Row) -> Event:
    return Event(
        uid=row["uid"],
        kind=row["kind"],
        at=datetime.fromtimestamp(row["at_ms"] / 1000, UTC),
        collection=row["collection"],
        outcome=row["outcome"],
        reason=row["reason"],
        stage_ms={stage: row[f"{stage}_ms"] for stage in STAGES if row[f"{stage}_ms"] is not None},
        prompt_tokens=row["prompt_tokens"],
        cached_tokens=row["cached_tokens"],
        output_tokens=row["output_tokens"],
        thought_tokens=row["thought_tokens"],
        clip_usd=row["clip_usd"],
        compute_usd=row["compute_usd"],
        gemini_usd=row["gemini_usd"],
        model=row["model"],
        cache_hit=bool(row["cache_hit"]),
        detail=json.loads(row["detail"]),
    )
