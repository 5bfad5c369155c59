"""The SQLite database beside the collections: numbered migrations, WAL, short transactions, many processes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import StoreError
from core.store.disk_errors import wrap_write_errors

BUSY_TIMEOUT_S, RETRY_S = 5.0, 0.01

# Never edited once released: a change is a new entry at the end.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        collection TEXT NOT NULL,
        arguments TEXT NOT NULL,
        author TEXT NOT NULL,
        state TEXT NOT NULL,
        phase TEXT NOT NULL DEFAULT '',
        done INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL DEFAULT 0,
        rate REAL NOT NULL DEFAULT 0,
        remaining_s REAL,
        added INTEGER NOT NULL DEFAULT 0,
        known INTEGER NOT NULL DEFAULT 0,
        message TEXT NOT NULL DEFAULT '',
        cancel_requested INTEGER NOT NULL DEFAULT 0,
        created_at TEXT NOT NULL,
        started_at TEXT,
        ended_at TEXT
    );
    CREATE INDEX jobs_by_state ON jobs (state);
    CREATE TABLE job_failures (
        job_id INTEGER NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        uri TEXT NOT NULL,
        reason TEXT NOT NULL,
        detail TEXT NOT NULL
    );
    CREATE INDEX job_failures_by_job ON job_failures (job_id);
    """,
    """
    CREATE TABLE spend (
        id INTEGER PRIMARY KEY,
        day TEXT NOT NULL,
        usd REAL NOT NULL,
        settled INTEGER NOT NULL
    );
    CREATE INDEX spend_by_day ON spend (day);
    CREATE TABLE rankings (
        key TEXT PRIMARY KEY,
        document TEXT NOT NULL,
        used INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX rankings_by_use ON rankings (used);
    """,
    """
    CREATE TABLE asset_lists (
        collection TEXT NOT NULL,
        version TEXT NOT NULL,
        ids BLOB NOT NULL,
        PRIMARY KEY (collection, version)
    );
    CREATE TABLE revisions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        collection TEXT NOT NULL,
        collection_version TEXT NOT NULL,
        parent INTEGER,
        threshold REAL NOT NULL,
        author TEXT NOT NULL,
        created_at TEXT NOT NULL,
        note TEXT NOT NULL,
        name TEXT NOT NULL DEFAULT '',
        size INTEGER NOT NULL,
        cluster_count INTEGER NOT NULL,
        named_count INTEGER NOT NULL,
        plan TEXT NOT NULL,
        labels BLOB NOT NULL,
        centroids BLOB NOT NULL,
        UNIQUE (collection, id),
        FOREIGN KEY (collection, collection_version) REFERENCES asset_lists (collection, version)
    );
    CREATE TABLE revision_clusters (
        revision INTEGER NOT NULL REFERENCES revisions (id) ON DELETE CASCADE,
        place INTEGER NOT NULL,
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        confirmed INTEGER NOT NULL,
        description TEXT NOT NULL,
        size INTEGER NOT NULL,
        threshold REAL NOT NULL,
        no_group INTEGER NOT NULL,
        representative TEXT NOT NULL,
        cohesion REAL NOT NULL,
        sketch BLOB NOT NULL,
        PRIMARY KEY (revision, place)
    );
    CREATE TABLE published (
        collection TEXT PRIMARY KEY,
        revision INTEGER NOT NULL,
        FOREIGN KEY (collection, revision) REFERENCES revisions (collection, id)
    ) WITHOUT ROWID;
    CREATE TABLE publications (
        id INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        revision INTEGER NOT NULL,
        replaced INTEGER,
        author TEXT NOT NULL,
        published_at TEXT NOT NULL
    );
    CREATE INDEX publications_by_collection ON publications (collection);
    CREATE TABLE drafts (
        id TEXT PRIMARY KEY,
        collection TEXT NOT NULL,
        parent INTEGER,
        author TEXT NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        version INTEGER NOT NULL DEFAULT 0,
        history TEXT NOT NULL,
        FOREIGN KEY (collection, parent) REFERENCES revisions (collection, id)
    );
    CREATE INDEX drafts_by_parent ON drafts (collection, parent);
    CREATE TABLE assignments (
        collection TEXT NOT NULL,
        revision INTEGER NOT NULL,
        asset_id TEXT NOT NULL,
        cluster_id TEXT NOT NULL,
        similarity REAL NOT NULL,
        assigned_at TEXT NOT NULL,
        PRIMARY KEY (collection, revision, asset_id),
        FOREIGN KEY (collection, revision) REFERENCES revisions (collection, id) ON DELETE CASCADE
    ) WITHOUT ROWID;
    """,
)


class Database:
    """One SQLite file. Every call opens its own connection, so it may be shared between threads and processes."""

    def __init__(self, path: Path, migrations: tuple[str, ...] | None = None, durable: bool = True) -> None:
        """Open or make the database and bring it to the present schema. Raises StoreError.

        What a `durable` one has committed survives a power cut; of another one the last moments may be lost then, never
        torn. A killed process loses nothing in either.
        """
        self.path, self._migrations = path, MIGRATIONS if migrations is None else migrations
        self._synchronous = "FULL" if durable else "NORMAL"
        with wrap_write_errors(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self._connection() as connection:
            _use_wal(connection)
        with self.transaction() as connection:
            self._migrate(connection)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the right to write from its start; whole, or not at all."""
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
        """A connection for reading one consistent state."""
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
            advice = "check that its folder can be written and has space, then try again"
            raise StoreError(f"{self.path} could not be used ({error}): nothing was changed; {advice}") from error
        finally:
            connection.close()

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        known = len(self._migrations)
        if version > known:
            raise StoreError(f"{self.path} has schema {version}, this version knows up to {known}: update")
        for number, script in enumerate(self._migrations[version:], version + 1):
            for statement in script.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Where several make a database at once, SQLite refuses this without waiting its time-out for the others."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(RETRY_S)
        else:
            return
