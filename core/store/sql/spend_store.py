"""What Gemini has cost, against the budgets; a hard stop that holds across processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.store.sql.database import Database

RETENTION_DAYS = 400


@dataclass(frozen=True)
class Budgets:
    """USD per day and per month, both in UTC."""

    daily_usd: float
    monthly_usd: float


@dataclass(frozen=True)
class Spending:
    """USD spent today and this month (UTC), requests under way counted at the most they can cost."""

    day_usd: float
    month_usd: float


class SpendStore:
    """A reservation per request, made before it is sent and replaced by its true cost afterwards.

    What is reserved counts as spent, so requests of several processes together stay within the budget; a reservation
    whose process died keeps counting, since nobody knows what its request cost.
    """

    def __init__(
        self, database: Database, budgets: Budgets, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database, self.budgets, self._now = database, budgets, now

    def reserve(self, most_usd: float) -> int | str:
        """Reserve what a request can cost at most: its number, or which budget (`day`, `month`) has no room for it."""
        day = self._now().date()
        with self._database.transaction() as db:
            spent = _spent(db, day.isoformat())
            if spent.day_usd + most_usd > self.budgets.daily_usd:
                return "day"
            if spent.month_usd + most_usd > self.budgets.monthly_usd:
                return "month"
            db.execute("DELETE FROM spend WHERE day < ?", ((day - timedelta(RETENTION_DAYS)).isoformat(),))
            row = db.execute("INSERT INTO spend (day, usd, settled) VALUES (?, ?, 0)", (day.isoformat(), most_usd))
            return int(row.lastrowid or 0)

    def settle(self, reservation: int, usd: float) -> None:
        """Replace a reservation by what the request did cost."""
        with self._database.transaction() as db:
            db.execute("UPDATE spend SET usd = ?, settled = 1 WHERE id = ?", (usd, reservation))

    def spent(self) -> Spending:
        """What counts against the budgets now."""
        with self._database.reading() as db:
            return _spent(db, self._now().date().isoformat())

    def requests_today(self) -> int:
        """How many requests were sent today (UTC), repeated ones and those without a reply included."""
        with self._database.reading() as db:
            day = self._now().date().isoformat()
            return int(db.execute("SELECT count(*) FROM spend WHERE day = ?", (day,)).fetchone()[0])


def _spent(db: sqlite3.Connection, day: str) -> Spending:
    query = "SELECT coalesce(sum(usd * (day = ?)), 0), coalesce(sum(usd), 0) FROM spend WHERE day BETWEEN ? AND ?"
    today, month = db.execute(query, (day, f"{day[:7]}-01", f"{day[:7]}-31")).fetchone()
    return Spending(float(today), float(month))
