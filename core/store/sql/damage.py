"""What is left to do with a database file that is no database any more: say so, or set it aside and begin a new one."""

from __future__ import annotations

import logging
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from core.errors import DataDamaged, StoreError
from core.logs import log
from core.records.set_aside import SetAsideDatabase
from core.store.disk_errors import wrap_write_errors
from core.store.objects.locks import held_lock
from core.text import one_line

SET_ASIDE, _MOMENT = ".damaged-", "%Y%m%d-%H%M%S-%f"
_HEADER = b"SQLite format 3\0"
_DAMAGE_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# SQLite keeps what was written last beside the database; a new one must not be taken for its owner.
_COMPANIONS = ("-wal", "-shm", "-journal")


class DatabaseDamaged(DataDamaged):
    """A database file cannot be read as what it was; `cause` says why, in a few words."""

    def __init__(self, path: Path, cause: str) -> None:
        self.path, self.cause = path, cause
        super().__init__(
            f"{path} is damaged ({cause}): nothing was changed; restore it with `python -m core restore PLACE`,"
            f" or give up what it held with `python -m core restore --begin-anew {path.name}`"
        )


def is_damage(error: Exception) -> bool:
    """Whether the file itself is wrong, as SQLite found, or because its texts are none."""
    no_text = isinstance(error, UnicodeDecodeError) or str(error).startswith("Could not decode to UTF-8")
    return no_text or getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE_CODES


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
    """What SQLite's own check finds wrong with a database, at most 20 lines; nothing where there is none.

    Raises StoreError if it cannot be told: the database is in use, or the disk is full.
    """
    try:
        if not check_file(path):
            return []
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            lines = [str(line) for (line,) in connection.execute("PRAGMA integrity_check(20)")]
            # Only then: reading a table whose pages lead in a circle would never end.
            orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(20) if lines == ["ok"] else []
        finally:
            connection.close()
    except DatabaseDamaged as error:
        return [error.cause]
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if is_damage(error):
            return [one_line(str(error), 200)]
        raise StoreError(f"{path} cannot be checked ({error}): nothing was changed; try again") from error
    found = [one_line(line, 200) for line in lines if line != "ok"]
    return found + [f"a row of {table} refers to none of {parent}" for table, _, parent, _ in orphans]


def companions(path: Path) -> list[Path]:
    """The files that SQLite may keep beside a database."""
    return [path.with_name(path.name + suffix) for suffix in _COMPANIONS]


def set_aside(path: Path, inode: int | None, new: Path) -> Path | None:
    """Give a damaged database, with the files beside it, a dated name, and its own name to the new one at `new`.

    None if another process was faster. `inode` is that of the file which was found damaged, None if there is no file.
    Nobody finds the name without a file meanwhile. Raises StoreError.
    """
    with (
        held_lock(path.with_name(f".{path.name}.aside.lock"), 5.0, f"{path.name} is being set aside: try again"),
        wrap_write_errors(path.parent),
    ):
        if inode_of(path) != inode:
            return None
        moment = f"{datetime.now(UTC):{_MOMENT}}"
        target = path.with_name(f"{path.stem}{SET_ASIDE}{moment}{path.suffix}")
        for old, kept in zip(companions(path), companions(target), strict=True):
            if old.exists():
                old.rename(kept)
        if path.exists():
            _also_call(path, target)
        new.replace(path)
    log("store", "a damaged database is set aside", logging.WARNING, file=str(path), kept_as=target.name)
    return target


def _also_call(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # a file system without links
        path.rename(target)


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
    """The inode of a file, None if there is none or it is empty: whether it is still the same database."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino if status.st_size else None
