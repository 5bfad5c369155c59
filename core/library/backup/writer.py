"""Makes a backup while everything is in use.

Databases are copied as they are at one moment; then, one collection after the other, its description and the list of
its files while nobody writes to it, which takes no longer than a listing. The files themselves never change once they
are written, and are copied afterwards. So a collection may be younger than its clusters, as after every ingest.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.errors import CollectionError, StoreError
from core.records.backups import BackedUpCollection, BackedUpFile, Backup, BackupReport
from core.records.jobs import BACKUP_PHASE, Progress, ProgressListener
from core.store.disk_errors import wrap_read_errors
from core.store.lance.collections import DESCRIPTION, Collections
from core.store.objects.backup_place import BackupPlace
from core.store.objects.locks import write_lock
from core.store.sql.collection_rows import COPIES
from core.store.sql.damage import DatabaseDamaged
from core.store.sql.database import Database
from core.store.sql.database_copy import copy_database
from core.store.stores import DATABASES
from core.text import format_bytes

# The tries to copy files of which some are deleted meanwhile, as those of an emptied bin are.
MAX_TRIES = 5
# What the list of a backup takes for each file, at most.
LISTED_BYTES = 400
_TRANSIENT = ("limits.db",)  # counts of the last minutes

Announce = Callable[[int, int], None]


@dataclass
class _Snapshot:
    """What a backup consists of: `drafts` are copies that were made already, `files` are where they lie."""

    drafts: dict[str, Path] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    collections: list[BackedUpCollection] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)


class BackupWriter:
    """Makes backups of one data folder."""

    def __init__(
        self,
        data: Path,
        collections: Collections,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._data, self._collections, self._now, self._clock = data, collections, now, clock

    def write(
        self,
        place: BackupPlace,
        names: Sequence[str],
        keep: timedelta | None,
        listener: ProgressListener,
        announce: Announce,
    ) -> BackupReport:
        """Back up these collections, or everything; then delete backups older than `keep`.

        `announce(bytes, free)` is told the most that will be written, before it is. Raises CollectionError,
        CollectionBusy, StoreError; a listener may raise Cancelled. What was copied by then is not copied again.
        """
        began = self._clock()
        self._refuse_own_folder(place)
        with place.writing():
            for _ in range(MAX_TRIES):
                snapshot = self._snapshot(place, names)
                try:
                    files, written, announced = self._copy(place, snapshot, listener, announce)
                    break
                except FileNotFoundError:  # deleted since it was listed
                    continue
            else:
                raise StoreError("files keep changing while they are copied: nothing is wrong with them; try again")
            now = self._now()
            backup = Backup(
                id=place.new_id(now),
                made_at=now,
                everything=not names,
                collections=tuple(snapshot.collections),
                files=tuple(files),
                uploads=str((self._data / "uploads").absolute()),
                damaged=snapshot.damaged,
            )
            place.finish(backup)
            expired = place.expire(keep, now) if keep else []
        return BackupReport(backup, written, announced, self._clock() - began, tuple(expired))

    def _refuse_own_folder(self, place: BackupPlace) -> None:
        folder, data = place.folder.resolve(), self._data.resolve()
        parts = [path.resolve() for path in self._data.iterdir() if path.is_dir()] if self._data.is_dir() else []
        if data.is_relative_to(folder) or any(folder.is_relative_to(part) for part in (data, *parts)):
            raise StoreError(f"{place.folder} is part of what is backed up: choose a folder outside of {self._data}")

    # -- what there is --------------------------------------------------------------------------------------

    def _snapshot(self, place: BackupPlace, names: Sequence[str]) -> _Snapshot:
        snapshot = _Snapshot()
        homes = self._homes(names, snapshot)
        databases = COPIES if names else [name for name in DATABASES if name not in _TRANSIENT]
        self._add_databases(place, names, homes, databases, snapshot)
        for name in homes:
            home = self._collections.home(name) if name in self._collections.names() else None
            if home is None:
                raise FileNotFoundError(name)  # deleted meanwhile
            with write_lock(home):
                self._add_collection(place, name, snapshot)
        return snapshot

    def _homes(self, names: Sequence[str], snapshot: _Snapshot) -> list[str]:
        """The collections to copy, each with its siblings. What is damaged is noted; a collection that cannot be opened
        is not copied, and refused if it was named.
        """
        unusable = list[str]()
        homes = sorted({self._collections.home(name).name for name in names or self._collections.names()})
        for name in homes:
            for each in (name, *self._collections.siblings(name)):
                try:
                    damage = self._collections.open(each).check()
                except (CollectionError, StoreError) as error:
                    if names:
                        raise
                    snapshot.damaged[each] = str(error)
                    unusable += [each]
                else:
                    if damage:
                        advice = "`python -m core verify` names them"
                        snapshot.damaged[each] = f"some of its pictures are damaged: {advice}"
        return [name for name in homes if name not in unusable]

    def _add_collection(self, place: BackupPlace, name: str, snapshot: _Snapshot) -> None:
        home, siblings = self._collections.home(name), self._collections.siblings(name)
        snapshot.drafts[f"collections/{name}/{DESCRIPTION}"] = place.copy_in(home / DESCRIPTION)
        with wrap_read_errors(home):
            skipped = {DESCRIPTION, "turn.lock", "write.lock", "ingest.lock"}
            for path in home.rglob("*"):
                if path.is_symlink() or not path.is_file():
                    continue  # nothing of ours
                if path.name not in skipped and path.name[0] != "." and path.suffix != ".draft":
                    snapshot.files[f"collections/{name}/{path.relative_to(home).as_posix()}"] = path
            for kind, pattern in (("linkages", "*.npz"), ("maps", "*.npz"), ("uploads", "[!.]*")):
                for each in (name, *siblings):
                    for path in _oldest_first((self._data / kind / each).glob(pattern)):
                        snapshot.files[f"{kind}/{each}/{path.name}"] = path
        pictures = self._collections.open(name).count()
        snapshot.collections.append(BackedUpCollection(name, pictures, siblings))

    def _add_databases(
        self,
        place: BackupPlace,
        names: Sequence[str],
        homes: Sequence[str],
        databases: Iterable[str],
        snapshot: _Snapshot,
    ) -> None:
        for name in databases:
            draft = place.draft()
            try:
                found = copy_database(self._data / name, draft)
            except DatabaseDamaged as error:
                if names:
                    raise
                snapshot.damaged[name] = str(error)
                continue
            if found:
                every = [each for home in homes for each in (home, *self._collections.siblings(home))]
                snapshot.drafts[name] = self._rows_only(place, name, draft, every) if names else draft

    def _rows_only(self, place: BackupPlace, name: str, whole: Path, collections: Sequence[str]) -> Path:
        """A database with nothing but what it holds about these collections."""
        draft = place.draft()
        source, target = Database(whole, DATABASES[name]), Database(draft, DATABASES[name])
        for collection in collections:
            COPIES[name][0](source, target, collection, collection)
        whole.unlink()
        return draft

    # -- copying --------------------------------------------------------------------------------------------

    def _copy(
        self, place: BackupPlace, snapshot: _Snapshot, listener: ProgressListener, announce: Announce
    ) -> tuple[list[BackedUpFile], int, int]:
        sizes = {path: file.stat().st_size for path, file in {**snapshot.drafts, **snapshot.files}.items()}
        known = {(file.path, file.size): file.digest for backup in place.backups() for file in backup.files}
        new = (path for path, size in sizes.items() if not _is_known(place, known, path, size))
        announced = sum(sizes[path] for path in new) + LISTED_BYTES * len(sizes)
        free, total = place.free_bytes(), sum(sizes.values())
        announce(announced, free)
        if announced > free:
            raise StoreError(f"{place.folder} has {format_bytes(free)} free, a backup needs {format_bytes(announced)}")
        files, written, done = list[BackedUpFile](), 0, 0
        for path, (digest, size, copied) in self._stored(place, snapshot):
            files.append(BackedUpFile(path, digest, size))
            written, done = written + copied, done + size
            listener(Progress(BACKUP_PHASE, done // 1_000_000, total // 1_000_000))
        return files, written, announced

    def _stored(self, place: BackupPlace, snapshot: _Snapshot) -> Iterator[tuple[str, tuple[str, int, int]]]:
        for path, draft in snapshot.drafts.items():
            yield path, place.move(draft)
        for path, file in snapshot.files.items():
            try:
                yield path, place.add(file)
            except FileNotFoundError:
                if path.startswith("collections/"):
                    raise
                # An older dendrogram or map made room for a new one.


def _oldest_first(paths: Iterable[Path]) -> list[Path]:
    """Files by age: restored in this order, the newest dendrogram is the newest again."""
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            status = path.lstat()
            found += [(status.st_mtime_ns, path)] if stat.S_ISREG(status.st_mode) else []
    return [path for _, path in sorted(found)]


def _is_known(place: BackupPlace, known: dict[tuple[str, int], str], path: str, size: int) -> bool:
    """Whether the content of a file is here already, as far as its name and size tell. Databases change in place."""
    digest = known.get((path, size))
    return digest is not None and not path.endswith((".db", DESCRIPTION)) and place.holds(digest, size)
