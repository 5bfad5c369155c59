"""Sessions of browsers, shared by all server processes. What is stored recognises a cookie, but cannot make one."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from core.records.sessions import Account, BrowserSession, NewSession
from core.store.sql.database import Database

MAX_SESSIONS, MAX_SESSIONS_OF_ACCOUNT = 10_000, 50
SEEN_INTERVAL = timedelta(minutes=1)
_LIVE = "ended_at IS NULL AND token_hash IS NOT NULL AND expires_at > ?"


class SessionStore:
    """Every method is one transaction.

    Above a maximum sessions are deleted: first those with a name alone, which anyone may begin, then those seen longest
    ago; of one account, above a lower one, only its own.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._database, self._now, self._new_id = database, now, new_id

    def create(self, new: NewSession, token_hash: str | None = None, claim_hash: str | None = None) -> str:
        """A new session, by its id. With a `claim_hash` instead of a `token_hash` it begins once it is claimed."""
        now, account, session = self._now(), new.account, self._new_id()
        row = {
            "id": session,
            "token_hash": token_hash,
            "claim_hash": claim_hash,
            "name": new.name,
            "account": account.id if account else None,
            "account_name": account.name if account else None,
            "email": account.email if account else None,
            "groups": json.dumps(sorted(account.groups)) if account else None,
            "key_proof": new.key_proof,
            "visitor": new.visitor,
            "browser": new.browser,
            "created_at": _text(now),
            "seen_at": _text(now),
            "expires_at": _text(now + new.lifetime),
        }
        with self._database.transaction() as db:
            db.execute("DELETE FROM sessions WHERE expires_at <= ?", (_text(now),))
            db.execute(
                "DELETE FROM sessions WHERE id IN"
                " (SELECT id FROM sessions ORDER BY account IS NULL AND key_proof = '', seen_at DESC, rowid DESC"
                " LIMIT -1 OFFSET ?)",
                (MAX_SESSIONS - 1,),
            )
            if account is not None:
                db.execute(
                    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE account = ?"
                    " ORDER BY seen_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
                    (account.id, MAX_SESSIONS_OF_ACCOUNT - 1),
                )
            columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            db.execute(f"INSERT INTO sessions ({columns}) VALUES ({values})", row)  # noqa: S608 - names of columns
        return session

    def claim(self, claim_hash: str, token_hash: str, within: timedelta) -> bool:
        """Begin a session that waits for this claim; False if none does, or not any more."""
        now = self._now()
        with self._database.transaction() as db:
            cursor = db.execute(
                "UPDATE sessions SET token_hash = ?, claim_hash = NULL"
                " WHERE claim_hash = ? AND token_hash IS NULL AND ended_at IS NULL AND created_at > ?",
                (token_hash, claim_hash, _text(now - within)),
            )
            return cursor.rowcount == 1

    def recognise(self, token_hash: str) -> tuple[BrowserSession, str] | None:
        """The live session of a cookie and its proof of the key; it counts as seen now."""
        now = self._now()
        with self._database.reading() as db:
            query = f"SELECT * FROM sessions WHERE token_hash = ? AND {_LIVE}"  # noqa: S608 - a constant
            row = db.execute(query, (token_hash, _text(now))).fetchone()
        if row is None:
            return None
        session = _session(row)
        if now - session.seen_at >= SEEN_INTERVAL:
            with self._database.transaction() as db:
                db.execute("UPDATE sessions SET seen_at = ? WHERE id = ?", (_text(now), session.id))
        return session, row["key_proof"]

    def get(self, session: str) -> BrowserSession | None:
        """A live session by its id; None if it has ended, or never began."""
        if not session:
            return None
        with self._database.reading() as db:
            query = f"SELECT * FROM sessions WHERE id = ? AND {_LIVE}"  # noqa: S608 - a constant
            row = db.execute(query, (session, _text(self._now()))).fetchone()
            return _session(row) if row else None

    def has_ended(self, session: str) -> bool:
        """Whether a session has ended, or is not known any more; one that waits to be claimed has not."""
        with self._database.reading() as db:
            query = "SELECT 1 FROM sessions WHERE id = ? AND ended_at IS NULL AND expires_at > ?"
            return db.execute(query, (session, _text(self._now()))).fetchone() is None

    def live(self) -> list[BrowserSession]:
        """All live sessions, those seen last first."""
        with self._database.reading() as db:
            query = f"SELECT * FROM sessions WHERE {_LIVE} ORDER BY seen_at DESC, rowid DESC"  # noqa: S608 - a constant
            return [_session(row) for row in db.execute(query, (_text(self._now()),))]

    def rename(self, session: str, name: str) -> None:
        """Remember another name in a session."""
        with self._database.transaction() as db:
            db.execute("UPDATE sessions SET name = ? WHERE id = ?", (name, session))

    def end(self, session: str) -> bool:
        """End a session, also one that was not claimed yet; False if there was none that lived."""
        with self._database.transaction() as db:
            cursor = db.execute(
                "UPDATE sessions SET ended_at = ?, claim_hash = NULL WHERE id = ? AND ended_at IS NULL",
                (_text(self._now()), session),
            )
            return cursor.rowcount == 1


def _session(row: sqlite3.Row) -> BrowserSession:
    account = None
    if row["account"] is not None:
        account = Account(row["account"], row["account_name"], row["email"], frozenset(json.loads(row["groups"])))
    return BrowserSession(
        id=row["id"],
        name=row["name"],
        account=account,
        with_key=bool(row["key_proof"]),
        visitor=row["visitor"],
        browser=row["browser"],
        created_at=datetime.fromisoformat(row["created_at"]),
        seen_at=datetime.fromisoformat(row["seen_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
    )


def _text(at: datetime) -> str:
    """A time (UTC) as text that sorts chronologically."""
    return at.isoformat(timespec="microseconds")
