"""Spending on Gemini against the budgets, enforced across processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.errors import StoreError
from core.records.money import MAX_USD, pico_usd, usd
from core.store.sql.daily_alias import daily_alias
from core.store.sql.database import Database

RETENTION_DAYS = 400


@dataclass(frozen=True)
class Budgets:
    """USD per day and per month, both in UTC."""

    daily_usd: float
    monthly_usd: float


@dataclass(frozen=True)
class Share:
    """What one visitor or person may spend of the budgets: at most `daily_usd` a day (UTC). `payer` is who they are."""

    payer: str
    daily_usd: float


@dataclass(frozen=True)
class Spending:
    """USD spent today and this month (UTC); pending requests count with their maximum cost."""

    day_usd: float
    month_usd: float


class SpendStore:
    """A reservation per request, made before it is sent and replaced by its actual cost afterwards.

    Reservations count as spent, so the requests of several processes together stay within the budget; the reservation
    of a process that died keeps counting, since the cost of its request is unknown. Who a request was for is kept as
    an alias of that day (see `daily_alias`).
    """

    def __init__(
        self, database: Database, budgets: Budgets, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database, self.budgets, self._now = database, budgets, now

    def reserve(self, max_usd: float, share: Share | None = None) -> int | str:
        """Reserve the maximum cost of a request: its number, or what it would exceed (`visitor`, `day`, `month`).

        Without a `share` it counts against the budgets alone.
        """
        day = self._now().date()
        with self._database.transaction() as db:
            payer = daily_alias(db, day.isoformat(), share.payer) if share else None
            maximum, (today, month) = _pico(max_usd), _spent(db, day.isoformat())
            if today + maximum > _limit(self.budgets.daily_usd):
                return "day"
            if month + maximum > _limit(self.budgets.monthly_usd):
                return "month"
            if share and _spent_by(db, day.isoformat(), payer) + maximum > _limit(share.daily_usd):
                return "visitor"
            db.execute("DELETE FROM spend WHERE day < ?", ((day - timedelta(RETENTION_DAYS)).isoformat(),))
            values = (day.isoformat(), maximum, payer)
            row = db.execute("INSERT INTO spend (day, pico_usd, settled, payer) VALUES (?, ?, 0, ?)", values)
            return int(row.lastrowid or 0)

    def settle(self, reservation: int, cost_usd: float) -> None:
        """Replace a reservation by the actual cost of the request."""
        with self._database.transaction() as db:
            db.execute("UPDATE spend SET pico_usd = ?, settled = 1 WHERE id = ?", (_pico(cost_usd), reservation))

    def spent(self) -> Spending:
        """The spending that counts against the budgets now."""
        with self._database.reading() as db:
            return Spending(*map(usd, _spent(db, self._now().date().isoformat())))

    def requests_today(self) -> int:
        """The number of requests sent today (UTC), including retries and those without a reply."""
        with self._database.reading() as db:
            day = self._now().date().isoformat()
            return int(db.execute("SELECT count(*) FROM spend WHERE day = ?", (day,)).fetchone()[0])


def _pico(amount_usd: float) -> int:
    try:
        return pico_usd(amount_usd)
    except ValueError as error:
        raise StoreError(f"the cost of a request cannot be recorded: {error}") from error


def _limit(budget_usd: float) -> int:
    return pico_usd(min(budget_usd, MAX_USD))


def _spent(db: sqlite3.Connection, day: str) -> tuple[int, int]:
    """Pico-USD of a day and of its month until then."""
    query = (
        "SELECT coalesce(sum(pico_usd * (day = ?)), 0), coalesce(sum(pico_usd), 0) FROM spend WHERE day BETWEEN ? AND ?"
    )
    today, month = db.execute(query, (day, f"{day[:7]}-01", f"{day[:7]}-31")).fetchone()
    return int(today), int(month)


def _spent_by(db: sqlite3.Connection, day: str, payer: str | None) -> int:
    query = "SELECT coalesce(sum(pico_usd), 0) FROM spend WHERE day = ? AND payer = ?"
    return int(db.execute(query, (day, payer)).fetchone()[0])
