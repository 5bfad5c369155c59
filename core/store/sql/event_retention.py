"""Retention: single events are stored for days, roll-ups by minute, hour and day for longer, totals for ever."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from core.store.sql.event_rollups import DAY_MS, HOUR_MS, MINUTE_MS

EVENT_MS = 1  # stands for single events among the units of the roll-ups
PRUNE_BATCH_SIZE = 2_000  # events per transaction, so that no writer waits long


@dataclass(frozen=True)
class Retention:
    """The number of whole days (UTC) to keep each; coarser units always at least as long as finer ones."""

    event_days: int = 7
    minute_days: int = 14
    hour_days: int = 120
    day_days: int = 1830

    def cutoffs_ms(self, now_ms: int) -> dict[int, int]:
        """The cutoff (ms, a midnight) of each unit: what is older is deleted."""
        days, today = 0, now_ms - now_ms % DAY_MS
        since = {}
        for unit_ms, unit_days in (
            (EVENT_MS, self.event_days),
            (MINUTE_MS, self.minute_days),
            (HOUR_MS, self.hour_days),
            (DAY_MS, self.day_days),
        ):
            days = max(days, unit_days)
            since[unit_ms] = today - days * DAY_MS
        return since


def retained_since(db: sqlite3.Connection) -> dict[int, int]:
    """By unit the time (ms) since which it is stored without gaps."""
    return {int(unit_ms): int(since) for unit_ms, since in db.execute("SELECT unit_ms, since_ms FROM kept")}


def prune(db: sqlite3.Connection, retention: Retention, now_ms: int) -> None:
    """Delete what is too old, within a transaction. Events that are not in the roll-ups yet stay."""
    current = retained_since(db)
    for unit_ms, since_ms in retention.cutoffs_ms(now_ms).items():
        if since_ms > current[unit_ms]:
            db.execute("UPDATE kept SET since_ms = ? WHERE unit_ms = ?", (since_ms, unit_ms))
            db.execute("DELETE FROM rollups WHERE unit_ms = ? AND at_ms < ?", (unit_ms, since_ms))
    # The newest row stays whatever its age: SQLite would reuse its id, and ids mark which events are rolled up.
    db.execute(
        "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at_ms < (SELECT since_ms FROM kept WHERE unit_ms"
        " = ?) AND id <= (SELECT event FROM folded) AND id < (SELECT max(id) FROM events) LIMIT ?)",
        (EVENT_MS, PRUNE_BATCH_SIZE),
    )
