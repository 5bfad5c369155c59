"""One SQLite database: named migrations, WAL, short transactions, many processes."""

from __future__ import annotations

import logging
import os
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.disk import DISK_IS_FULL
from core.errors import StoreError
from core.logs import log
from core.retry import RetryPolicy, with_retries
from core.store.disk_errors import wrap_write_errors
from core.store.sql.damage import DatabaseDamaged, check_file, companions, inode_of, is_damage, set_aside
from core.store.sql.migrations import CONTACTSHEET, Migration
from core.text import listed

BUSY_TIMEOUT_S = 5.0


class Database:
    """One SQLite file. Every call opens its own connection, so it may be shared between threads and processes.

    Whoever has a database that cannot be used, a damaged one for instance, is told with every call, and not before: the
    others of the data folder work on. Every method raises StoreError.
    """

    def __init__(
        self,
        path: Path,
        migrations: tuple[Migration, ...] = CONTACTSHEET,
        durable: bool = True,
        stays_open: bool = False,
        expendable: bool = False,
        created_before: Sequence[Path] = (),
    ) -> None:
        """Open or create the database and apply the migrations that it lacks.

        What a `durable` one has committed survives a power cut; another one may lose the last moments then, but is
        never corrupted. A killed process loses nothing in either. One that `stays_open` holds an idle connection, so
        that short calls do not each write the log back as they end: 0.1 ms instead of 1.4. A damaged one is left as it
        is; an `expendable` one is set aside under a dated name, and a new one is begun.

        One that is `created_before` others, of which two are there, is not new but gone, which is damage too. In a
        folder that cannot be written it can be read; as empty where there is none.
        """
        self.path, self._migrations, self._expendable = path, migrations, expendable
        self._created_before = tuple(created_before)
        self._synchronous = "FULL" if durable else "NORMAL"
        self._stays_open, self._ready = stays_open, False
        self._idle: sqlite3.Connection | None = None
        try:
            self._open()
        except StoreError as error:
            log("store", "a database cannot be used", logging.ERROR, error=str(error))

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
    def wrap_errors(self, inode: int | None) -> Iterator[None]:
        """Around the use of a connection to the file `inode`: what SQLite raises becomes a StoreError.

        An expendable database that turns out to be damaged is replaced; what was to be written can be written again.
        """
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except (sqlite3.Error, UnicodeDecodeError) as error:
            if is_damage(error):
                raise self._damaged(str(error), inode) from error
            cause, advice = _cause_and_advice(error)
            raise StoreError(f"{self.path} could not be used ({cause}): nothing was changed; {advice}") from error

    def _damaged(self, cause: str, inode: int | None) -> StoreError:
        if not self._expendable or self._read_only:
            return DatabaseDamaged(self.path, cause)
        with self._draft() as draft:
            set_aside(self.path, inode, draft)
        return StoreError(f"{self.path} was damaged ({cause}): it was set aside, and a new one is begun; try again")

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        inode = inode_of(self.path)
        if not self._ready or (inode is None and not self._read_only):
            self._open()  # also where the file is gone, or empty, since
            inode = inode_of(self.path)
        with self.wrap_errors(inode):
            connection = self._connect()
            try:
                yield connection
            finally:
                connection.close()

    def _open(self) -> None:
        """Create the file unless it exists, and bring its schema up to date."""
        with wrap_write_errors(self.path.parent):
            if not self._read_only:
                self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._upgrade()
        except DatabaseDamaged:
            raise
        except StoreError:
            if not self._expendable or not check_file(self.path):
                raise
            self._upgrade()  # of the new one, if it was replaced
        self._ready = True
        if self._stays_open and self._idle is None and not self._read_only:
            self._idle = self._idle_connection()

    def _upgrade(self) -> None:
        inode = inode_of(self.path)
        try:
            if not self._is_there():
                if not self._read_only:
                    self._create()
                return
        except DatabaseDamaged as damage:
            if not self._expendable or self._read_only:
                raise
            raise self._damaged(damage.cause, inode) from damage
        with self.wrap_errors(inode):
            connection = self._connect()
            try:
                self._migrate(connection)
            finally:
                connection.close()

    def _is_there(self) -> bool:
        """Whether there is a database file; False where it is to be created. Raises DatabaseDamaged."""
        others = [path.name for path in self._created_before if path.exists()]  # looked at before the file itself
        found = check_file(self.path)
        if not found and len(others) > 1:
            raise DatabaseDamaged(self.path, f"it is gone, while {listed(others)} are there")
        return found

    def _create(self) -> None:
        """Create the file with its whole schema, so that others see it complete or not at all."""
        with self._draft() as draft, wrap_write_errors(self.path.parent):
            _move_unless_there(draft, self.path)

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        """A new, empty database under a name of its own; it is gone afterwards unless it was moved."""
        draft = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        try:
            with self.wrap_errors(None), wrap_write_errors(self.path.parent):
                draft.touch()
                connection = self._connect_to(draft)
                try:
                    self._migrate(connection)
                finally:
                    connection.close()
            yield draft
        finally:
            for path in (draft, *companions(draft)):
                path.unlink(missing_ok=True)

    @property
    def _read_only(self) -> bool:
        folder = self.path.parent
        return folder.is_dir() and not os.access(folder, os.W_OK)

    def _connect(self) -> sqlite3.Connection:
        if not self._read_only:
            return self._connect_to(self.path)
        if not self.path.exists():
            connection = self._connect_to(None)
            self._migrate(connection)
            return connection
        # Without write access nobody can open the log of another process: what is in it has to be left out.
        wal = companions(self.path)[0]
        return self._connect_to(self.path, "mode=ro" if wal.is_file() and wal.stat().st_size else "mode=ro&immutable=1")

    def _connect_to(self, path: Path | None, options: str = "mode=rw") -> sqlite3.Connection:
        """A connection that creates no file; to one in memory without a path."""
        target = f"{path.absolute().as_uri()}?{options}" if path else ":memory:"
        connection = sqlite3.connect(target, timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=True)
        try:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _idle_connection(self) -> sqlite3.Connection:
        address = f"{self.path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(address, timeout=BUSY_TIMEOUT_S, check_same_thread=False, uri=True)
        connection.execute("PRAGMA user_version").fetchone()  # the file is opened with the first read
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Apply the missing migrations, each with its number in one transaction."""
        if connection.execute("PRAGMA journal_mode").fetchone()[0] == "delete":
            _use_wal(connection)
        while self._version(connection) < len(self._migrations):
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._apply_next_migration(connection)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    def _version(self, connection: sqlite3.Connection) -> int:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version > len(self._migrations):
            known = len(self._migrations)
            raise StoreError(f"{self.path} has schema {version}, this version knows up to {known}: update")
        return int(version)

    def _apply_next_migration(self, connection: sqlite3.Connection) -> None:
        version = self._version(connection)
        if version == len(self._migrations):
            return  # another process was faster
        migration = self._migrations[version]
        for function in migration.functions:
            connection.create_function(function.__name__, 1, function, deterministic=True)
        for statement in migration.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version + 1}")


def _move_unless_there(draft: Path, path: Path) -> None:
    try:
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was faster, and its database is as new
    except OSError:  # a file system without links
        if not path.exists():
            draft.rename(path)


def _cause_and_advice(error: Exception) -> tuple[str, str]:
    # Where even the index of the log finds no room, SQLite calls it an I/O error.
    if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE):
        return DISK_IS_FULL
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY:
        return "it is read-only", "make its folder writable, or move the data with CONTACTSHEET_DATA"
    return str(error), "check that its folder can be written and has space, then try again"


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. If several processes open a database at once, SQLite refuses this without its usual timeout."""
    policy = RetryPolicy(_is_busy, first_wait_s=0.01, max_wait_s=0.1, deadline_s=BUSY_TIMEOUT_S)
    with_retries(lambda: connection.execute("PRAGMA journal_mode = WAL"), policy, "opening a new database")


def _is_busy(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
