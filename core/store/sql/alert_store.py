"""Where alerts stand, what became of them and who has silenced them: a database that all processes share."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from core.records.alerts import Alert, AlertChange, AlertReading, AlertRule, AlertState, Silence
from core.store.sql.database import Database

MAX_CHANGES = 1_000
# The state of an alert after one more reading: rule, state before, reading.
Step = Callable[[AlertRule, AlertState, AlertReading], AlertState]

_MIGRATIONS = (
    """
    CREATE TABLE alerts (
        name TEXT PRIMARY KEY,
        phase TEXT NOT NULL,
        since TEXT, fired_at TEXT, heard_at TEXT,
        value REAL,
        told INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE changes (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        phase TEXT NOT NULL,
        at TEXT NOT NULL,
        value REAL NOT NULL,
        threshold REAL NOT NULL
    );
    CREATE TABLE silences (
        name TEXT PRIMARY KEY,
        until TEXT NOT NULL,
        author TEXT NOT NULL,
        why TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE checked (one INTEGER PRIMARY KEY CHECK (one = 1), at TEXT NOT NULL);
    """,
)


class AlertStore:
    """One row per alert, stepped inside a transaction: of several processes one notes and tells a change."""

    def __init__(self, path: Path) -> None:
        """Open or make the database. Raises StoreError."""
        self._database = Database(path, _MIGRATIONS, durable=False)

    def claim(self, now: datetime, every: timedelta) -> bool:
        """Whether the caller is the one to measure now; False if someone has within `every`. Raises StoreError."""
        with self._database.transaction() as db:
            row = db.execute("SELECT at FROM checked").fetchone()
            if row and timedelta(0) <= now - datetime.fromisoformat(row["at"]) < every:
                return False
            db.execute("INSERT OR REPLACE INTO checked VALUES (1, ?)", (now.isoformat(),))
            return True

    def advance(self, readings: Mapping[AlertRule, AlertReading], now: datetime, step: Step) -> list[Alert]:
        """Take one `step` per rule; the alerts of which somebody has to be told now, each given to one caller only.

        Of a silenced alert nobody is told before its silence ends; those told that it fires are told that it is
        resolved. Raises StoreError.
        """
        with self._database.transaction() as db:
            before, silences, news = _rows(db), _silences(db, now), []
            for rule, reading in readings.items():
                row = before.get(rule.name)
                old, told = (_state(row), bool(row["told"])) if row else (AlertState(), False)
                alert = Alert(rule, step(rule, old, reading), silences.get(rule.name))
                _note_change(db, alert, old)
                tell = not alert.firing if told else alert.loud
                if tell:
                    news.append(alert)
                if tell or alert.state != old:
                    _write(db, alert, told != tell)
            return news

    def alerts(self, rules: tuple[AlertRule, ...], now: datetime) -> list[Alert]:
        """Where every rule stands, in the order of the rules. Raises StoreError."""
        with self._database.reading() as db:
            rows, silences = _rows(db), _silences(db, now)
        return [
            Alert(rule, _state(rows[rule.name]) if rule.name in rows else AlertState(), silences.get(rule.name))
            for rule in rules
        ]

    def changes(self, limit: int) -> list[AlertChange]:
        """The newest firings and resolutions first; the last thousand are kept. Raises StoreError."""
        query = "SELECT name, phase, at, value, threshold FROM changes ORDER BY id DESC LIMIT ?"
        with self._database.reading() as db:
            return [
                AlertChange(name, phase, datetime.fromisoformat(at), value, threshold)
                for name, phase, at, value, threshold in db.execute(query, (limit,))
            ]

    def silence(self, silence: Silence) -> None:
        """Silence an alert, in place of an earlier silence. Raises StoreError."""
        row = (silence.name, silence.until.isoformat(), silence.author, silence.why)
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


def _note_change(db: sqlite3.Connection, alert: Alert, old: AlertState) -> None:
    state = alert.state
    if state.phase == old.phase or state.phase not in ("firing", "resolved"):
        return
    row = (alert.rule.name, state.phase, _text(state.since), state.value, alert.rule.threshold)
    number = db.execute("INSERT INTO changes VALUES (NULL, ?, ?, ?, ?, ?)", row).lastrowid or 0
    db.execute("DELETE FROM changes WHERE id <= ?", (number - MAX_CHANGES,))


def _write(db: sqlite3.Connection, alert: Alert, told: bool) -> None:
    state = alert.state
    value = None if math.isnan(state.value) else state.value
    moments = (_text(state.since), _text(state.fired_at), _text(state.heard_at))
    row = (alert.rule.name, state.phase, *moments, value, int(told))
    db.execute("INSERT OR REPLACE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _state(row: sqlite3.Row) -> AlertState:
    value = math.nan if row["value"] is None else row["value"]
    return AlertState(row["phase"], _moment(row["since"]), _moment(row["fired_at"]), _moment(row["heard_at"]), value)


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
