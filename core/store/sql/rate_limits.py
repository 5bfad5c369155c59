"""How often something was done of late, by whom, counted across threads and processes; lost tries cost little."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from core.store.sql.database import Database
from core.store.sql.migrations import LIMITS

MAX_ROWS = 100_000
ROWS_BETWEEN_CHECKS = 256
LONGEST_S = 3600.0


class RateLimits:
    """Counts by kind and key in windows that begin with the first try; every method is one transaction.

    Two windows may touch, so twice the limit fits into the time of one. Keys are kept as their SHA-256, and no longer
    than their window. Above `max_rows` the counts that would end first are dropped.
    """

    def __init__(self, path: Path, max_rows: int = MAX_ROWS, now: Callable[[], float] = time.time) -> None:
        """`now` is the time in seconds, the same for all processes. Raises StoreError."""
        self._database = Database(path, LIMITS, durable=False, stays_open=True, expendable=True)
        self._max_rows, self._now = max_rows, now

    def take(self, kind: str, key: str, limit: int, window_s: float) -> float | None:
        """Count a try, None, unless there were `limit` in this window: then the seconds until it ends."""
        with self._database.transaction() as db:
            count, left_s, _ = self._state(db, kind, key, window_s)
            if count >= limit:
                return left_s
            self._write(db, kind, key, count + 1, left_s)
            return None

    def count(self, kind: str, key: str, window_s: float) -> int:
        """How many tries there were in this window."""
        with self._database.transaction() as db:
            return self._state(db, kind, key, window_s)[0]

    def penalize(self, kind: str, key: str, window_s: float, pause_s: Callable[[int], float]) -> float | None:
        """Count a try, None, unless an earlier one's pause is not over: then the seconds until it is.

        `pause_s(n)` is how long the n-th try of a window blocks the next one. Whether a try was wrong is known after
        it was counted, so that tries at the same moment are no way around a pause; `forget` takes back those of who
        was right.
        """
        with self._database.transaction() as db:
            count, left_s, blocked_s = self._state(db, kind, key, window_s)
            if blocked_s > 0:
                return blocked_s
            pause = pause_s(count + 1)
            self._write(db, kind, key, count + 1, max(left_s, pause), pause)
            return None

    def forget(self, kind: str, key: str) -> None:
        """Begin anew: as if there had been no try."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM counts WHERE kind = ? AND key = ?", (kind, _digest(key)))

    def _state(self, db: sqlite3.Connection, kind: str, key: str, window_s: float) -> tuple[int, float, float]:
        """The tries in this window, the seconds until it ends, and until the next try is allowed."""
        now = self._now()
        db.execute("DELETE FROM counts WHERE ends_at <= ?", (now,))
        query = "SELECT tries, ends_at, blocked_until FROM counts WHERE kind = ? AND key = ?"
        row = db.execute(query, (kind, _digest(key))).fetchone()
        if row is None:
            return 0, window_s, 0.0
        # Where the clock was set back, nobody waits longer than from now on.
        longest_s = max(window_s, LONGEST_S)
        left_s, blocked_s = (min(row[name] - now, longest_s) for name in ("ends_at", "blocked_until"))
        return int(row["tries"]), left_s, max(blocked_s, 0.0)

    def _write(
        self, db: sqlite3.Connection, kind: str, key: str, tries: int, left_s: float, blocked_s: float = 0.0
    ) -> None:
        now = self._now()
        cursor = db.execute(
            "INSERT INTO counts (kind, key, tries, ends_at, blocked_until) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (kind, key) DO UPDATE"
            " SET tries = excluded.tries, ends_at = excluded.ends_at, blocked_until = excluded.blocked_until",
            (kind, _digest(key), tries, now + left_s, now + blocked_s),
        )
        if tries == 1 and (cursor.lastrowid or 0) % ROWS_BETWEEN_CHECKS == 0:
            (rows,) = db.execute("SELECT count(*) FROM counts").fetchone()
            surplus = (max(rows - self._max_rows, 0),)
            db.execute("DELETE FROM counts WHERE id IN (SELECT id FROM counts ORDER BY ends_at LIMIT ?)", surplus)


def _digest(key: str) -> bytes:
    return sha256(key.encode("utf-8", "replace")).digest()
