"""A folder of backups: the content of every file once, named by its SHA-256, and a list of files per backup.

A backup exists once its list does; that is written last. So an interrupted one leaves content that the next one finds
there, and two backups share what did not change between them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from core.disk import write_durably
from core.errors import ContactSheetError, DataDamaged, StoreError
from core.records.backups import BackedUpCollection, BackedUpFile, Backup
from core.store.disk_errors import wrap_read_errors, wrap_write_errors
from core.store.objects.locks import held_lock
from core.store.objects.names import is_collection_name
from core.text import one_line

MARKER, FORMAT = "contact-sheet-backups.json", 1
OBJECTS, DRAFTS, LOCK = "objects", ".contact-sheet-drafts", ".contact-sheet.lock"
_BACKUP_ID = re.compile(r"(\d{8}T\d{6}Z)(?:-(\d+))?")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BackupDamaged(DataDamaged):
    """A backup, or a file that it holds, is not what was written."""


class BackupPlace:
    """The backups in one folder. Every method raises StoreError for what the disk raises."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def require(self) -> None:
        """Raise StoreError unless the folder holds backups."""
        if not (self.folder / MARKER).is_file():
            raise StoreError(f"{self.folder} holds no backups: name the folder that `python -m core backup` wrote to")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only one who writes here. The folder is created unless it exists, for its owner alone.

        Raises CollectionBusy if others are writing, ContactSheetError if the folder holds something else.
        """
        self._refuse_strangers()
        with wrap_write_errors(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            with wrap_write_errors(self.folder):
                self._write_json(self.folder / MARKER, {"format": FORMAT})
                shutil.rmtree(self.folder / DRAFTS, ignore_errors=True)  # of a backup that was interrupted
                (self.folder / DRAFTS).mkdir()
            try:
                yield
            finally:
                shutil.rmtree(self.folder / DRAFTS, ignore_errors=True)

    def _refuse_strangers(self) -> None:
        with wrap_read_errors(self.folder):
            if self.folder.exists() and not self.folder.is_dir():
                raise ContactSheetError(f"{self.folder} is a file: name a folder")
            if not self.folder.exists() or (self.folder / MARKER).is_file():
                return
            strangers = [path.name for path in self.folder.iterdir() if not path.name.startswith(".contact-sheet")]
        if strangers:
            raise ContactSheetError(
                f"{self.folder} holds something else ({one_line(strangers[0], 80)}): choose an empty or new folder"
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep others from deleting backups meanwhile, where the folder can be written at all."""
        self.require()
        with ExitStack() as stack:
            if os.access(self.folder, os.W_OK):
                stack.enter_context(self._locked())
            yield

    def _locked(self) -> AbstractContextManager[None]:
        message = f"another backup or restore is using {self.folder}: wait for it to end"
        return held_lock(self.folder / LOCK, 0.0, message)

    # -- content --------------------------------------------------------------------------------------------

    def draft(self) -> Path:
        """A new path for a file that is being written, on the same disk."""
        return self.folder / DRAFTS / uuid.uuid4().hex

    def add(self, source: Path) -> tuple[str, int, int]:
        """Store the content of a file: its digest, its size, and the bytes that were written for it.

        Content that is there already is read and compared, and written anew if it is damaged. Raises FileNotFoundError.
        """
        digest = _digest(source)
        size = source.stat().st_size
        with wrap_write_errors(self.folder):
            if self.is_intact(digest):
                return digest, size, 0
            draft = self.draft()
            shutil.copyfile(source, draft)
            self._settle(draft, digest)
        return digest, size, size

    def copy_in(self, source: Path) -> Path:
        """A draft with the content of a file that may change. Raises FileNotFoundError if there is none."""
        if not source.exists():
            raise FileNotFoundError(source)
        with wrap_read_errors(source.parent):
            content = source.read_bytes()
        draft = self.draft()
        with wrap_write_errors(self.folder):
            draft.write_bytes(content)
        return draft

    def move(self, draft: Path) -> tuple[str, int, int]:
        """`add` for a draft, which is moved."""
        with wrap_write_errors(self.folder):
            digest, size = _digest(draft), draft.stat().st_size
            if self.is_intact(digest):
                draft.unlink()
                return digest, size, 0
            self._settle(draft, digest)
        return digest, size, size

    def _settle(self, draft: Path, digest: str) -> None:
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        target = self._object(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.replace(target)
        if not self.is_intact(digest):
            raise BackupDamaged(f"{target} does not read as it was written: check the disk")

    def is_intact(self, digest: str) -> bool:
        """Whether the content with this digest is here and is what was written."""
        try:
            return _digest(self._object(digest)) == digest
        except OSError:
            return False

    def holds(self, digest: str, size: int) -> bool:
        """Whether content of that digest and size is here, by its name."""
        try:
            return self._object(digest).stat().st_size == size
        except OSError:
            return False

    def copy(self, file: BackedUpFile, target: Path) -> None:
        """Write the content of a file to a new place. Raises BackupDamaged, and leaves nothing then."""
        with wrap_write_errors(target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{uuid.uuid4().hex}.draft")
            try:
                try:
                    shutil.copyfile(self._object(file.digest), draft)
                    found = _digest(draft)
                except FileNotFoundError:
                    found = "missing"
                if found != file.digest:
                    raise BackupDamaged(f"{file.path} is damaged in this backup: choose an earlier one (--backup ID)")
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)

    def is_copy(self, path: Path, file: BackedUpFile) -> bool:
        """Whether a file outside has the content of one in a backup."""
        with wrap_read_errors(path.parent):
            return path.stat().st_size == file.size and _digest(path) == file.digest

    def free_bytes(self) -> int:
        """Free space on the disk."""
        with wrap_read_errors(self.folder):
            return shutil.disk_usage(self.folder).free

    # -- backups --------------------------------------------------------------------------------------------

    def backups(self) -> list[Backup]:
        """The complete backups whose list can be read, the oldest first."""
        found = []
        for backup_id in self.ids():
            try:
                found.append(self.get(backup_id))
            except StoreError:
                continue
        return found

    def ids(self) -> list[str]:
        """The ids of all backups, the oldest first."""
        with wrap_read_errors(self.folder):
            stems = [path.stem for path in self.folder.glob("*.json") if _BACKUP_ID.fullmatch(path.stem)]
        return sorted(stems, key=_age)

    def get(self, backup_id: str) -> Backup:
        """One backup. Raises BackupDamaged if its list is."""
        path = self.folder / f"{backup_id}.json"
        if not _BACKUP_ID.fullmatch(backup_id) or not path.is_file():
            known = ", ".join(self.ids()) or "none yet"
            raise StoreError(f"{self.folder} holds no backup {backup_id} (there are: {known})")
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return _backup(document)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BackupDamaged(f"the list of backup {backup_id} is damaged: choose another (--backup ID)") from error

    def new_id(self, now: datetime) -> str:
        """The id of a backup that is made now."""
        moment, taken = f"{now:%Y%m%dT%H%M%SZ}", set(self.ids())
        names = (moment, *(f"{moment}-{number}" for number in range(2, 1000)))
        return next(name for name in names if name not in taken)

    def finish(self, backup: Backup) -> None:
        """Write the list of a backup, whose content is all here: from now on it exists."""
        document = {**asdict(backup), "made_at": backup.made_at.isoformat(), "damaged": dict(backup.damaged)}
        with wrap_write_errors(self.folder):
            # Parsed back, so that the digest is that of what a reader gets.
            plain = json.loads(json.dumps(document))
            self._write_json(self.folder / f"{backup.id}.json", {**plain, "digest": _document_digest(plain)})

    def newest(self, names: Sequence[str], now: datetime) -> str:
        """The id of the newest backup that holds all of these collections; without names, of the newest of everything.

        One of the future, which a wrong clock made, is passed over where there is another. Raises StoreError, and
        BackupDamaged if the list of the newest is damaged: what it held is unknown.
        """
        for backup_id in self.ids()[-1:]:
            self.get(backup_id)
        backups = self.backups()
        if not backups:
            raise StoreError(f"{self.folder} holds no backup yet: make one with `python -m core backup`")
        wanted = [b for b in backups if (_held(b).issuperset(names) if names else b.everything)] or backups
        past = [backup for backup in wanted if backup.made_at <= now]
        return (past or wanted)[-1].id

    def expire(self, older_than: timedelta, now: datetime) -> list[str]:
        """Delete old backups, and content that none needs; returns their ids.

        The newest one stays, the newest of everything, and of what that one left out since it was damaged the newest
        that holds it, whatever its age. Nothing is deleted while the list of any backup is damaged: what it needs is
        unknown then.
        """
        backups = self.backups()
        if len(backups) < len(self.ids()):
            return []
        whole = [backup for backup in backups if backup.everything]
        wanted = set(whole[-1].damaged) if whole else set()
        newest = {part: backup.id for backup in backups for part in _parts(backup) if part in wanted}
        kept = {*newest.values(), *(found[-1].id for found in (backups, whole) if found)}
        old = [backup for backup in backups if backup.made_at < now - older_than and backup.id not in kept]
        needed = {file.digest for backup in backups if backup not in old for file in backup.files}
        with wrap_write_errors(self.folder):
            for backup in old:
                (self.folder / f"{backup.id}.json").unlink()
            for path in (self.folder / OBJECTS).glob("*/*"):
                if path.name not in needed:
                    path.unlink()
        return [backup.id for backup in old]

    def damaged(self, backup: Backup) -> list[BackedUpFile]:
        """The files of a backup that are not what was written."""
        intact = {digest: self.is_intact(digest) for digest in {file.digest for file in backup.files}}
        return [file for file in backup.files if not intact[file.digest]]

    def _object(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise BackupDamaged(f"{digest[:80]!r} is no SHA-256: the list of this backup is damaged")
        return self.folder / OBJECTS / digest[:2] / digest

    def _write_json(self, path: Path, document: dict[str, Any]) -> None:
        draft = path.with_name(f".{path.name}.draft")
        write_durably(draft, json.dumps(document).encode())
        draft.replace(path)


def _age(backup_id: str) -> tuple[str, int]:
    found = _BACKUP_ID.fullmatch(backup_id)
    return (found[1], int(found[2] or 1)) if found else (backup_id, 0)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _document_digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _held(backup: Backup) -> set[str]:
    """The names of the collections in a backup."""
    return {name for collection in backup.collections for name in (collection.name, *collection.siblings)}


def _parts(backup: Backup) -> set[str]:
    """The names of the collections and databases in a backup, as `damaged` has them."""
    collections = _held(backup)
    databases = {file.path for file in backup.files if "/" not in file.path} if backup.everything else set()
    return (collections | databases) - set(backup.damaged)


def _backup(document: dict[str, Any]) -> Backup:
    """Raises what a document that is none of ours leads to.

    The digest shows damage alone: whoever can write here can forge it, so nothing in the list is trusted.
    """
    if document.pop("digest") != _document_digest(document):
        raise ValueError("its digest differs")
    if not (isinstance(document["everything"], bool) and _BACKUP_ID.fullmatch(document["id"])):
        raise ValueError("its head is none")
    return Backup(
        id=document["id"],
        made_at=datetime.fromisoformat(document["made_at"]).astimezone(UTC),
        everything=document["everything"],
        collections=tuple(map(_collection, document["collections"])),
        files=tuple(map(_file, document["files"])),
        uploads=one_line(document["uploads"]),
        damaged={one_line(name): one_line(text) for name, text in document["damaged"].items()},
    )


def _collection(document: dict[str, Any]) -> BackedUpCollection:
    found = BackedUpCollection(document["name"], int(document["pictures"]), tuple(document["siblings"]))
    if not all(map(is_collection_name, (found.name, *found.siblings))):
        raise ValueError("a collection has no name")
    return found


def _file(document: dict[str, Any]) -> BackedUpFile:
    file = BackedUpFile(document["path"], document["digest"], document["size"])
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or "\0" in file.path or str(path) != file.path:
        raise ValueError("a path leads elsewhere")
    if not (_DIGEST.fullmatch(file.digest) and isinstance(file.size, int) and file.size >= 0):
        raise ValueError("a file has no size or digest")
    return file
