"""Backups: what they hold, how making or restoring one went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.text import counted, format_bytes


@dataclass(frozen=True)
class BackedUpFile:
    """A file of a backup: its path below the data folder, the SHA-256 of its content (hex), its size in bytes."""

    path: str
    digest: str
    size: int


@dataclass(frozen=True)
class BackedUpCollection:
    """A collection in a backup, and its siblings, which lie in the same folder."""

    name: str
    pictures: int
    siblings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Backup:
    """A complete backup. `id` is the moment it was made (UTC).

    `everything` tells whether it holds all collections and databases. `damaged` says, by name, what was damaged
    already: what cannot be opened is not in it, anything else is, as it is. `uploads` is where uploaded files lay.
    """

    id: str
    made_at: datetime
    everything: bool
    collections: tuple[BackedUpCollection, ...]
    files: tuple[BackedUpFile, ...]
    uploads: str
    damaged: Mapping[str, str]

    @property
    def size(self) -> int:
        """Bytes of all its files, those included that it shares with other backups."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class BackupReport:
    """How a backup went: bytes written anew, at most `announced` of them; the backups that were old enough to go."""

    backup: Backup
    written: int
    announced: int
    seconds: float
    expired: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """One line: what the backup holds, and what it cost."""
        backup = self.backup
        parts = [f"{backup.id}: {counted(len(backup.collections), 'collection')}, {format_bytes(backup.size)}"]
        parts.append(f"{format_bytes(self.written)} of it new, verified, in {self.seconds:.0f} s")
        parts += [f"{counted(len(self.expired), 'old backup')} deleted"] if self.expired else []
        parts += [f"damaged already: {', '.join(backup.damaged)}"] if backup.damaged else []
        return "; ".join(parts)


@dataclass(frozen=True)
class RestoreOptions:
    """What to restore: these collections of the backup `backup_id` (the newest by default), or everything in it.

    One collection may be restored under another name. What is there and works is replaced only with `replace`.
    """

    names: Sequence[str] = ()
    backup_id: str = ""
    as_name: str = ""
    replace: bool = False


@dataclass(frozen=True)
class RestoredCollection:
    """A collection that was restored under `name`; `kept_rows` if revisions and drafts of that name stayed as they are.

    `set_aside` is the folder of a damaged one that was in its place.
    """

    name: str
    pictures: int
    kept_rows: bool = False
    set_aside: str = ""


@dataclass(frozen=True)
class RestoreReport:
    """What a restore put back, and what it left as it is since it works."""

    backup: str
    collections: tuple[RestoredCollection, ...]
    databases: tuple[str, ...]
    left: tuple[str, ...]
    seconds: float

    @property
    def summary(self) -> str:
        """One line: what was restored, and what was not."""
        parts = [f"{c.name} ({counted(c.pictures, 'picture')})" for c in self.collections] + list(self.databases)
        line = f"restored from {self.backup}: {', '.join(parts) or 'nothing'}"
        if kept := [c.name for c in self.collections if c.kept_rows]:
            line += f"; clusters and drafts of {', '.join(kept)} were there and stay as they are"
        if aside := [c.set_aside for c in self.collections if c.set_aside]:
            line += f"; what was damaged is kept in {', '.join(aside)}"
        return line + (f"; left as they are: {', '.join(self.left)} (--replace replaces them)" if self.left else "")
