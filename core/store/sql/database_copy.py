"""Whole databases as files: consistent copies of those in use, and copies put in the place of what is damaged."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from core.errors import StoreError
from core.store.disk_errors import wrap_write_errors
from core.store.sql.damage import (
    DatabaseDamaged,
    check_file,
    companions,
    database_damage,
    inode_of,
    is_damage,
    set_aside,
)

# A database without rows in any of these was never used for anything that could be lost.
_USED = ("jobs", "spend", "revisions", "drafts", "audit", "judgements", "runs", "events", "rollups", "changes")


def copy_database(path: Path, target: Path) -> bool:
    """Copy a database as it is at this moment, whoever is writing to it; False if there is none.

    Nobody is signed in by the copy: sessions are left out. Raises StoreError, DatabaseDamaged.
    """
    if not check_file(path):
        return False
    try:
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            source.execute("VACUUM INTO ?", (str(target),))
        finally:
            source.close()
        _delete_sessions(target)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        target.unlink(missing_ok=True)
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            raise StoreError(f"{target.parent} is full: free some space, then run it again") from error
        if is_damage(error):
            raise DatabaseDamaged(path, str(error)) from error
        raise StoreError(f"{path} cannot be copied ({error}): nothing was changed; try again") from error
    return True


def needs_restoring(path: Path, copy: Path) -> bool:
    """Whether a copy should take the place of a database: it is missing, damaged, or unused while the copy is not."""
    return not path.exists() or bool(database_damage(path)) or (_is_used(copy) and not _is_used(path))


def _is_used(path: Path) -> bool:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        telling = [table for table in _USED if table in tables]
        return any(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() for table in telling)  # noqa: S608
    finally:
        connection.close()


def put_database(copy: Path, path: Path) -> Path | None:
    """Put a copy in the place of a database. A damaged one is kept under the dated name returned. Raises StoreError."""
    if path.exists() and database_damage(path):
        return set_aside(path, inode_of(path), copy)
    with wrap_write_errors(path.parent):
        for companion in companions(path):
            companion.unlink(missing_ok=True)
        copy.replace(path)
    return None


def _delete_sessions(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").fetchone():
            connection.execute("DELETE FROM sessions")
    finally:
        connection.close()
