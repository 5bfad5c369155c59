"""The connection through which a process writes to the event log."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from core.store.sql.damage import inode_of
from core.store.sql.database import BUSY_TIMEOUT_S, Database


class EventWriter:
    """A connection that stays open, so that its page cache and the WAL survive from one event to the next: writing an
    event needs neither opening nor syncing. Threads take turns.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._lock = database, threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode: int | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start; all or nothing. Raises StoreError."""
        with self._lock:
            connection = self._connected()
            with self._database.wrap_errors(self._inode):
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    yield connection
                    connection.execute("COMMIT")
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")

    def _connected(self) -> sqlite3.Connection:
        """The connection to the file that has the database's name now: a damaged one may have been set aside."""
        if self._connection is None or inode_of(self._database.path) != self._inode:
            with self._database.reading():  # it is there, and up to date
                self._inode = inode_of(self._database.path)
            if self._connection is not None:
                self._connection.close()
            with self._database.wrap_errors(self._inode):
                self._connection = sqlite3.connect(
                    f"{self._database.path.absolute().as_uri()}?mode=rw",
                    timeout=BUSY_TIMEOUT_S,
                    isolation_level=None,
                    check_same_thread=False,
                    uri=True,
                )
                self._connection.row_factory = sqlite3.Row
                self._connection.execute("PRAGMA synchronous = NORMAL")
        return self._connection
