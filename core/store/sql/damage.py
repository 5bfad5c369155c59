"""What is left to do with a database file that is no database any more: say so, or set it aside and begin a new one."""

from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from core.errors import StoreError
from core.logs import log
from core.records.set_aside import SetAsideDatabase

SET_ASIDE, _MOMENT = ".damaged-", "%Y%m%d-%H%M%S-%f"
_HEADER = b"SQLite format 3\0"
_DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# SQLite keeps what was written last beside the database; a new one must not be taken for its owner.
_COMPANIONS = ("-wal", "-shm", "-journal")


class DatabaseDamaged(StoreError):
    """A database file cannot be read as what it was; `cause` says why, in a few words."""

    def __init__(self, path: Path, cause: str) -> None:
        self.path, self.cause = path, cause
        super().__init__(
            f"{path} is damaged ({cause}): nothing was changed; restore it with `python -m core restore PLACE`,"
            " or move it away to begin without what it held"
        )


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite found the file itself to be wrong."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE_CODES


def check_file(path: Path) -> bool:
    """Whether there is a database file. Raises DatabaseDamaged if what is there never was one, or no longer is.

    A new database appears with its content, so that an empty file is never a beginning.
    """
    try:
        with path.open("rb") as file:
            header = file.read(len(_HEADER))
    except FileNotFoundError:
        wal = companions(path)[0]
        if wal.is_file() and wal.stat().st_size:
            raise DatabaseDamaged(path, f"it is gone, {wal.name} is still there") from None
        return False
    except OSError as error:
        raise StoreError(f"{path} cannot be opened ({error.strerror}): check that it is a file of yours") from error
    if header != _HEADER:
        raise DatabaseDamaged(path, "a file of 0 bytes" if not header else "it does not begin as a database does")
    return True


def database_damage(path: Path) -> list[str]:
    """What SQLite's own check finds wrong with a database, at most 20 lines; nothing where there is none."""
    try:
        if not check_file(path):
            return []
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(20)") if line != "ok"]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(20)
        finally:
            connection.close()
    except StoreError as error:
        return [getattr(error, "cause", str(error))]
    except sqlite3.Error as error:
        return [str(error)]
    return found + [f"a row of {table} refers to none of {parent}" for table, _, parent, _ in orphans]


def companions(path: Path) -> list[Path]:
    """The files that SQLite may keep beside a database."""
    return [path.with_name(path.name + suffix) for suffix in _COMPANIONS]


def set_aside(path: Path, inode: int | None) -> Path | None:
    """Rename a damaged database, with the files beside it, to a dated name; None if another process has already.

    `inode` is that of the file which was found damaged, None if there is no file.
    """
    with FileLock(path.with_name(f".{path.name}.aside.lock"), timeout=5):
        if inode_of(path) != inode:
            return None
        moment = f"{datetime.now(UTC):{_MOMENT}}"
        target = path.with_name(f"{path.stem}{SET_ASIDE}{moment}{path.suffix}")
        for old, new in zip((path, *companions(path)), (target, *companions(target)), strict=True):
            if old.exists():
                old.rename(new)
    log("store", "a damaged database is set aside", logging.WARNING, file=str(path), kept_as=target.name)
    return target


def set_aside_files(folder: Path) -> list[Path]:
    """The damaged databases that were set aside in a folder, the latest last."""
    found = (path for path in folder.glob(f"*{SET_ASIDE}*") if not path.name.endswith(_COMPANIONS))
    return sorted(found, key=lambda path: path.name.partition(SET_ASIDE)[2])


def describe_set_aside(path: Path) -> SetAsideDatabase:
    """What one of `set_aside_files` was, and since when it is aside."""
    name, _, moment = path.stem.partition(SET_ASIDE)
    try:
        since = datetime.strptime(moment, _MOMENT).replace(tzinfo=UTC)
    except ValueError:  # renamed by someone
        since = None
    return SetAsideDatabase(f"{name}{path.suffix}", path.name, since)


def inode_of(path: Path) -> int | None:
    """The inode of a file, None if there is none: whether it is still the same file."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
