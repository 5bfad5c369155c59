"""The connection through which a process writes to the event log."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StoreError
from core.store.sql.database import BUSY_TIMEOUT_S


class EventWriter:
    """A connection that stays open, so that its page cache and the WAL survive from one event to the next: writing an
    event needs neither opening nor syncing. Threads take turns; the database must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start; all or nothing. Raises StoreError."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.IntegrityError:
                raise
            except sqlite3.DatabaseError as error:
                advice = "check that its folder can be written and has space, then try again"
                raise StoreError(f"{self._path} could not be used ({error}): nothing was changed; {advice}") from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
