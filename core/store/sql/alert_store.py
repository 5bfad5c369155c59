"""The state, history and silences of alerts, in a database that all processes share."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from core.records.alerts import Alert, AlertChange, AlertReading, AlertRule, AlertState, Silence
from core.store.sql.database import Database
from core.store.sql.migrations import ALERTS

MAX_CHANGES = 1_000
# Returns the next state of an alert: rule, previous state, reading.
Step = Callable[[AlertRule, AlertState, AlertReading], AlertState]


class AlertStore:
    """One row per alert, updated in a transaction: of several processes exactly one records and reports a change."""

    def __init__(self, path: Path) -> None:
        """Open or create the database. Raises StoreError."""
        self._database = Database(path, ALERTS, durable=False, expendable=True)

    def claim(self, now: datetime, interval: timedelta) -> bool:
        """Whether the caller should measure now; False if someone has within `interval`. Raises StoreError."""
        with self._database.transaction() as db:
            row = db.execute("SELECT at FROM checked").fetchone()
            if row and timedelta(0) <= now - datetime.fromisoformat(row["at"]) < interval:
                return False
            db.execute("INSERT OR REPLACE INTO checked VALUES (1, ?)", (now.isoformat(),))
            return True

    def advance(self, readings: Mapping[AlertRule, AlertReading], now: datetime, step: Step) -> list[Alert]:
        """Take one `step` per rule; returns the alerts to report now, each to one caller only.

        A silenced alert is not reported before its silence ends; one that was reported as firing is also reported as
        resolved. Raises StoreError.
        """
        with self._database.transaction() as db:
            rows, silences, to_report = _rows(db), _silences(db, now), []
            for rule, reading in readings.items():
                row = rows.get(rule.name)
                old, reported = (_state(row), bool(row["told"])) if row else (AlertState(), False)
                alert = Alert(rule, step(rule, old, reading), silences.get(rule.name))
                _record_change(db, alert, old)
                report = not alert.firing if reported else alert.active
                if report:
                    to_report.append(alert)
                if report or alert.state != old:
                    _write(db, alert, reported != report)
            return to_report

    def alerts(self, rules: tuple[AlertRule, ...], now: datetime) -> list[Alert]:
        """The alert of every rule, in the order of the rules. Raises StoreError."""
        with self._database.reading() as db:
            rows, silences = _rows(db), _silences(db, now)
        return [
            Alert(rule, _state(rows[rule.name]) if rule.name in rows else AlertState(), silences.get(rule.name))
            for rule in rules
        ]

    def changes(self, limit: int) -> list[AlertChange]:
        """Firings and resolutions, the newest first; the last thousand are kept. Raises StoreError."""
        query = "SELECT name, phase, at, value, threshold FROM changes ORDER BY id DESC LIMIT ?"
        with self._database.reading() as db:
            return [
                AlertChange(name, phase, datetime.fromisoformat(at), value, threshold)
                for name, phase, at, value, threshold in db.execute(query, (limit,))
            ]

    def silence(self, silence: Silence) -> None:
        """Silence an alert; replaces an earlier silence. Raises StoreError."""
        row = (silence.name, silence.until.isoformat(), silence.author, silence.reason)
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO silences VALUES (?, ?, ?, ?)", row)

    def unsilence(self, name: str) -> None:
        """End the silence of an alert, if there is one. Raises StoreError."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM silences WHERE name = ?", (name,))


def _rows(db: sqlite3.Connection) -> dict[str, sqlite3.Row]:
    return {row["name"]: row for row in db.execute("SELECT * FROM alerts")}


def _silences(db: sqlite3.Connection, now: datetime) -> dict[str, Silence]:
    found = [
        Silence(row["name"], datetime.fromisoformat(row["until"]), row["author"], row["why"])
        for row in db.execute("SELECT * FROM silences")
    ]
    return {silence.name: silence for silence in found if silence.until > now}


def _record_change(db: sqlite3.Connection, alert: Alert, old: AlertState) -> None:
    state = alert.state
    if state.phase == old.phase or state.phase not in ("firing", "resolved"):
        return
    row = (alert.rule.name, state.phase, _text(state.since), state.value, alert.rule.threshold)
    number = db.execute("INSERT INTO changes VALUES (NULL, ?, ?, ?, ?, ?)", row).lastrowid or 0
    db.execute("DELETE FROM changes WHERE id <= ?", (number - MAX_CHANGES,))


def _write(db: sqlite3.Connection, alert: Alert, reported: bool) -> None:
    state = alert.state
    value = None if math.isnan(state.value) else state.value
    times = (_text(state.since), _text(state.fired_at), _text(state.last_reading_at))
    row = (alert.rule.name, state.phase, *times, value, int(reported))
    db.execute("INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _state(row: sqlite3.Row) -> AlertState:
    value = math.nan if row["value"] is None else row["value"]
    return AlertState(
        row["phase"], _datetime(row["since"]), _datetime(row["fired_at"]), _datetime(row["heard_at"]), value
    )


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _datetime(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
