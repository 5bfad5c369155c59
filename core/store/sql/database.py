"""One SQLite database: named migrations, WAL, short transactions, many processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.disk import DISK_IS_FULL
from core.errors import StoreError
from core.retry import RetryPolicy, with_retries
from core.store.disk_errors import wrap_write_errors
from core.store.sql.migrations import CONTACTSHEET, Migration

BUSY_TIMEOUT_S = 5.0


class Database:
    """One SQLite file. Every call opens its own connection, so it may be shared between threads and processes."""

    def __init__(
        self,
        path: Path,
        migrations: tuple[Migration, ...] = CONTACTSHEET,
        durable: bool = True,
        stays_open: bool = False,
    ) -> None:
        """Open or create the database and apply the migrations that it lacks. Raises StoreError.

        What a `durable` one has committed survives a power cut; another one may lose the last moments then, but is
        never corrupted. A killed process loses nothing in either. One that `stays_open` holds an idle connection, so
        that short calls do not each write the log back as they end: 0.1 ms instead of 1.4.
        """
        self.path, self._migrations = path, migrations
        self._synchronous = "FULL" if durable else "NORMAL"
        with wrap_write_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            _use_wal(connection)
        while self._apply_next_migration():
            pass
        self._idle = self._idle_connection() if stays_open else None

    def _idle_connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, check_same_thread=False)
        connection.execute("PRAGMA user_version").fetchone()  # the file is opened with the first read
        return connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start; all or nothing."""
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that reads one consistent state."""
        with self._connection() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreError(f"{self.path} cannot be opened ({error}): check that its folder can be written") from error
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            yield connection
        except sqlite3.IntegrityError:
            raise
        except sqlite3.DatabaseError as error:
            cause, advice = _cause_and_advice(error)
            raise StoreError(f"{self.path} could not be used ({cause}): nothing was changed; {advice}") from error
        finally:
            connection.close()

    def _apply_next_migration(self) -> bool:
        """Apply one migration, with its number, in one transaction; False if the database is up to date."""
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            known = len(self._migrations)
            if version > known:
                raise StoreError(f"{self.path} has schema {version}, this version knows up to {known}: update")
            if version == known:
                return False
            migration = self._migrations[version]
            for function in migration.functions:
                connection.create_function(function.__name__, 1, function, deterministic=True)
            for statement in migration.statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            return True


def _cause_and_advice(error: sqlite3.Error) -> tuple[str, str]:
    # Where even the index of the log finds no room, SQLite calls it an I/O error.
    if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE):
        return DISK_IS_FULL
    return str(error), "check that its folder can be written and has space, then try again"


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. If several processes create a database at once, SQLite refuses this without its usual timeout."""
    policy = RetryPolicy(_is_busy, first_wait_s=0.01, max_wait_s=0.1, deadline_s=BUSY_TIMEOUT_S)
    with_retries(lambda: connection.execute("PRAGMA journal_mode = WAL"), policy, "opening a new database")


def _is_busy(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
