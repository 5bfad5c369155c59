"""The audit log: one row per action, appended before it is done. SQLite refuses to change or delete a row.

A row outlives its collection, so it holds neither queries nor titles: of what was done it says how much, or its number.
Whoever may write the file itself can still drop the triggers; keep copies (`python -m core audit --output`) elsewhere.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from core.access import Person
from core.errors import StoreError
from core.logs import log
from core.records.audit import BROKEN_OFF, UNDER_WAY, AuditEntry, AuditFilter
from core.records.events import from_milliseconds, to_milliseconds
from core.store.sql.database import Database
from core.text import one_line

# What has not ended after this time never will: whatever takes longer is a job, recorded as it starts.
LONGEST = timedelta(minutes=10)
MAX_LENGTH, MAX_OUTCOME_LENGTH = 200, 300

_INSERT = """
    INSERT INTO audit (at_ms, actor, identity, visitor, action, collection, target, outcome)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_OUTCOME = f"coalesce(outcome, iif(at_ms < :stale_ms, '{BROKEN_OFF}', '{UNDER_WAY}'))"
_COLUMNS = f"id, at_ms, actor, identity, visitor, action, collection, target, {_OUTCOME} AS outcome"
_SEARCHED = (
    "strftime('%Y-%m-%d %H:%M:%S', at_ms / 1000, 'unixepoch')",
    "actor",
    "identity",
    "visitor",
    "action",
    "collection",
    "target",
    _OUTCOME,
)
_CONDITIONS = {
    "pattern": "(" + " OR ".join(f"{column} LIKE :pattern ESCAPE '\\'" for column in _SEARCHED) + ")",
    "action": "action = :action",
    "since_ms": "at_ms >= :since_ms",
    "until_ms": "at_ms < :until_ms",
    "before_id": "(at_ms, id) < (SELECT at_ms, id FROM audit WHERE id = :before_id)",
}


class AuditLog:
    """The audit log of all processes. May be shared between threads."""

    def __init__(self, database: Database, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._database, self._now = database, now

    # -- writing --------------------------------------------------------------------------------------------

    def begin(self, person: Person, action: str, collection: str, target: str) -> int:
        """Append that someone begins something; returns the entry's id. Raises StoreError."""
        return self._append(person, action, collection, target, None)

    def finish(self, entry: int, outcome: str) -> None:
        """Record how it ended, once. If that cannot be written it is logged: what was done is done."""
        try:
            with self._database.transaction() as db:
                db.execute(
                    "UPDATE audit SET outcome = ? WHERE id = ? AND outcome IS NULL",
                    (_line(outcome, MAX_OUTCOME_LENGTH), entry),
                )
        except (StoreError, sqlite3.Error) as error:
            log("audit", "an outcome could not be recorded", logging.ERROR, entry=entry, error=str(error))

    def record(
        self, person: Person, action: str, collection: str = "", target: str = "", outcome: str = "done"
    ) -> None:
        """Append what has just happened, or what takes long and is recorded as it starts. Raises StoreError."""
        self._append(person, action, collection, target, outcome)

    def _append(self, person: Person, action: str, collection: str, target: str, outcome: str | None) -> int:
        texts = (person.author, person.identity, person.visitor, action, collection, target)
        ended = None if outcome is None else _line(outcome, MAX_OUTCOME_LENGTH)
        with self._database.transaction() as db:
            row = (to_milliseconds(self._now()), *map(_line, texts), ended)
            return int(db.execute(_INSERT, row).lastrowid or 0)

    # -- reading --------------------------------------------------------------------------------------------

    def search(self, wanted: AuditFilter = AuditFilter(), limit: int = 50, before_id: int = 0) -> list[AuditEntry]:
        """At most `limit` entries, the newest first; with `before_id` only those older than that one.

        A text is matched literally in any column, ASCII letters in either case. Raises StoreError.
        """
        values = _values(wanted, before_id)
        where = " AND ".join(_CONDITIONS[name] for name in values) or "true"
        sql = f"SELECT {_COLUMNS} FROM audit WHERE {where} ORDER BY at_ms DESC, id DESC LIMIT :limit"  # noqa: S608
        stale_ms = to_milliseconds(self._now() - LONGEST)
        with self._database.reading() as db:
            rows = db.execute(sql, {**values, "stale_ms": stale_ms, "limit": limit})
            return [_entry(row) for row in rows]

    def actions(self) -> list[str]:
        """The names of all actions in the log, sorted. Raises StoreError."""
        with self._database.reading() as db:
            return [name for (name,) in db.execute("SELECT DISTINCT action FROM audit ORDER BY action")]


def _values(wanted: AuditFilter, before_id: int) -> dict[str, Any]:
    """The parameters of the conditions that apply."""
    text = one_line(wanted.text)[:MAX_LENGTH]
    values = {
        "pattern": f"%{_escaped(text)}%" if text else None,
        "action": wanted.action.encode("utf-8", "replace").decode() or None,  # a shell may pass lone surrogates
        "since_ms": to_milliseconds(wanted.since) if wanted.since else None,
        "until_ms": to_milliseconds(wanted.until) if wanted.until else None,
        "before_id": before_id or None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\%_" else c for c in text)


def _line(text: str, max_length: int = MAX_LENGTH) -> str:
    return one_line(text, max_length)


def _entry(row: sqlite3.Row) -> AuditEntry:
    values = dict(row)
    return AuditEntry(at=from_milliseconds(values.pop("at_ms")), **values)
