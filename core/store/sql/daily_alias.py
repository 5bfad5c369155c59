"""Names for visitors and people that hold for a day: nobody can tell afterwards whose they were."""

from __future__ import annotations

import secrets
import sqlite3
from hashlib import sha256


def daily_alias(db: sqlite3.Connection, day: str, key: str) -> str:
    """The alias of a key on a day (ISO date): its SHA-256 with a random salt that is deleted when the day is over.

    A plain hash would not do: all addresses can be tried in minutes. `db` is in a transaction and has a table
    `salts (day, salt)`.
    """
    db.execute("DELETE FROM salts WHERE day < ?", (day,))
    db.execute("INSERT OR IGNORE INTO salts VALUES (?, ?)", (day, secrets.token_bytes(16)))
    (salt,) = db.execute("SELECT salt FROM salts WHERE day = ?", (day,)).fetchone()
    return sha256(salt + key.encode("utf-8", "replace")).hexdigest()
