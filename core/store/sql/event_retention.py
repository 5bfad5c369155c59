"""How long what is kept: single events for days, their sums by minute, hour and day for longer, totals for ever."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from core.store.sql.event_rollups import DAY_MS, HOUR_MS, MINUTE_MS

EVENT_MS = 1  # the unit of single events, beside those of the roll-ups
PRUNE_BATCH_SIZE = 2_000  # at a time, so that nobody waits long


@dataclass(frozen=True)
class Retention:
    """Whole days (UTC) for which each is kept; the coarser always at least as long as the finer."""

    event_days: int = 7
    minute_days: int = 14
    hour_days: int = 120
    day_days: int = 1830

    def kept_since(self, now_ms: int) -> dict[int, int]:
        """By unit the moment (ms) before which it is removed; a midnight."""
        days, today = 0, now_ms - now_ms % DAY_MS
        since = {}
        for unit_ms, least in (
            (EVENT_MS, self.event_days),
            (MINUTE_MS, self.minute_days),
            (HOUR_MS, self.hour_days),
            (DAY_MS, self.day_days),
        ):
            days = max(days, least)
            since[unit_ms] = today - days * DAY_MS
        return since


def retained_since(db: sqlite3.Connection) -> dict[int, int]:
    """By unit the moment (ms) from which on it is kept without a gap."""
    return {int(unit_ms): int(since) for unit_ms, since in db.execute("SELECT unit_ms, since_ms FROM kept")}


def prune(db: sqlite3.Connection, retention: Retention, now_ms: int) -> None:
    """Remove what is too old; part of a transaction. Events that are not rolled up yet stay."""
    present = retained_since(db)
    for unit_ms, since_ms in retention.kept_since(now_ms).items():
        if since_ms > present[unit_ms]:
            db.execute("UPDATE kept SET since_ms = ? WHERE unit_ms = ?", (since_ms, unit_ms))
            db.execute("DELETE FROM rollups WHERE unit_ms = ? AND at_ms < ?", (unit_ms, since_ms))
    # The newest row stays whatever its age: SQLite would give its number to the next one, and numbers mark what is
    # rolled up.
    db.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at_ms < (SELECT since_ms FROM kept WHERE unit_ms"
        " = ?) AND id <= (SELECT event FROM folded) AND id < (SELECT max(id) FROM events) LIMIT ?)",
        (EVENT_MS, PRUNE_BATCH_SIZE),
    )
