"""Puts collections and databases of a backup back. What works stays as it is unless it is to be replaced."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from core.errors import CollectionError, StoreError
from core.records.backups import (
    BackedUpCollection,
    BackedUpFile,
    Backup,
    RestoredCollection,
    RestoreOptions,
    RestoreReport,
)
from core.records.jobs import RESTORE_PHASE, Progress, ProgressListener
from core.store.collection_store import CollectionStore
from core.store.disk_errors import wrap_read_errors, wrap_write_errors
from core.store.lance.collections import Collections
from core.store.objects.backup_place import BackupDamaged, BackupPlace
from core.store.objects.locks import held_lock
from core.store.objects.names import check_collection_name, path_to_uri
from core.store.sql.collection_rows import COPIES, has_rows
from core.store.sql.damage import database_damage, inode_of, set_aside
from core.store.sql.database import Database
from core.store.sql.database_copy import needs_restoring, put_database
from core.store.stores import DATABASES, IRREPLACEABLE, Stores
from core.text import format_bytes, listed

WORK, LOCK = ".restore-", ".restore.lock"


class Restorer:
    """Restores into one data folder."""

    def __init__(
        self,
        data: Path,
        collections: Collections,
        stores: Stores,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._data, self._collections, self._stores = data, collections, stores
        self._now, self._clock = now, clock

    def restore(self, place: BackupPlace, options: RestoreOptions, listener: ProgressListener) -> RestoreReport:
        """Restore, one collection after the other, each as a whole or not at all.

        Raises CollectionError if a collection is there that would be replaced, or is not in the backup; CollectionBusy;
        StoreError, BackupDamaged; a listener may raise Cancelled.
        """
        began = self._clock()
        with place.reading(), self._alone(), self._work_folder() as work:
            backup = place.get(options.backup_id or place.newest(options.names, self._now()))
            chosen, left = self._chosen(backup, options)
            self._require_space(backup, chosen)
            run = _Run(place, backup, work, options.replace, listener)
            databases = self._put_databases(run) if backup.everything and not options.names else []
            restored = [self._put_collection(run, each, options.as_name or each.name) for each in chosen]
        return RestoreReport(backup.id, tuple(restored), tuple(databases), tuple(left), self._clock() - began)

    def begin_anew(self, database: str) -> str:
        """Set a damaged database aside and begin a new one; the name it is kept under, empty if it was gone.

        Raises StoreError if there is no such database, or it is not damaged.
        """
        path = self._data / database
        if database not in IRREPLACEABLE:
            raise StoreError(f"{database} begins anew by itself where it is damaged: nothing was changed")
        with self._alone(), self._work_folder() as work:
            if path.exists() and not database_damage(path):
                raise StoreError(f"{database} is not damaged: nothing was changed")
            new = Database(work / database, DATABASES[database])
            with new.reading():
                pass  # it is there, and whole
            kept = set_aside(path, inode_of(path), new.path)
            return kept.name if kept and kept.exists() else ""

    def _alone(self) -> AbstractContextManager[None]:
        message = f"another restore into {self._data} is running: wait for it to end"
        return held_lock(self._data / LOCK, 0.0, message)

    @contextmanager
    def _work_folder(self) -> Iterator[Path]:
        with wrap_write_errors(self._data):
            for folder in self._data.glob(f"{WORK}*/"):  # of a restore that was interrupted
                shutil.rmtree(folder)
            work = self._data / f"{WORK}{uuid.uuid4().hex}"
            work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _chosen(self, backup: Backup, options: RestoreOptions) -> tuple[list[BackedUpCollection], list[str]]:
        """The collections to restore, and the names of those that stay as they are since they work."""
        by_name = {name: c for c in backup.collections for name in (c.name, *c.siblings)}
        for name in options.names:
            if name not in by_name:
                held = ", ".join(c.name for c in backup.collections) or "none"
                raise CollectionError(f"backup {backup.id} holds no collection {name!r} (it holds: {held})")
        wanted = list({by_name[name].name: by_name[name] for name in options.names or by_name}.values())
        if options.as_name:
            check_collection_name(options.as_name)
            if len(wanted) != 1:
                raise CollectionError(f"{len(wanted)} collections cannot all be named {options.as_name}: name one")
        if options.replace:
            return wanted, []
        there = [c for c in wanted if self._works(options.as_name or c.name)]
        if there and (options.names or options.as_name):
            name = options.as_name or there[0].name
            ways = "restore it under another name (--as NAME), or replace the one that is there (--replace)"
            raise CollectionError(f"there is a collection {name} already: {ways}")
        return [c for c in wanted if c not in there], [c.name for c in there]

    def _works(self, name: str) -> bool:
        return name in self._collections.names() and self._collections.is_whole(name)

    def _require_space(self, backup: Backup, chosen: Sequence[BackedUpCollection]) -> None:
        names = [name for c in chosen for name in (c.name, *c.siblings)]
        kinds = ("collections", "uploads", "linkages", "maps")
        needed = sum(file.size for name in names for kind in kinds for file in _files(backup, kind, name))
        # A database is copied out of the backup, and what is taken from it is written once more, with its log.
        needed += sum(3 * file.size for file in backup.files if file.path in DATABASES)
        with wrap_read_errors(self._data):
            free = shutil.disk_usage(self._data).free
        if needed > free:
            raise StoreError(f"{self._data} has {format_bytes(free)} free, the restore needs {format_bytes(needed)}")

    # -- databases ------------------------------------------------------------------------------------------

    def _put_databases(self, run: _Run) -> list[str]:
        """Put back, whole, every database that is missing, damaged or unused; the others keep what they hold."""
        restored = []
        for file in run.backup.files:
            if file.path in DATABASES:
                copy = run.work / f"whole-{file.path}"
                run.copy(file, copy)
                if needs_restoring(self._data / file.path, copy):
                    put_database(copy, self._data / file.path)
                    restored.append(file.path)
        return restored

    def _sources(self, run: _Run) -> dict[str, Database]:
        """The databases of the backup that hold something about collections, copied and brought up to date.

        Raises StoreError if they are damaged, or if those that they are to be copied into cannot be written.
        """
        found = {}
        for file in run.backup.files:
            if file.path in COPIES:
                copy = run.work / file.path
                if not copy.exists():
                    run.copy(file, copy)
                found[file.path] = source = Database(copy, DATABASES[file.path])
                with source.reading(), self._target(file.path).transaction():
                    pass
        return found

    def _target(self, database: str) -> Database:
        return Database(self._data / database, DATABASES[database])

    def _put_rows(self, run: _Run, sources: Mapping[str, Database], names: Mapping[str, str]) -> bool:
        """Copy what databases hold about collections, each under its new name; whether some kept what was there.

        If one cannot be written, those before it get back what they held.
        """
        kept, undo = False, ExitStack()
        with undo:
            for database, source in sources.items():
                copy_rows, tables = COPIES[database]
                target = self._target(database)
                for old, new in names.items():
                    if any(has_rows(target, table, new) for table in tables):
                        if not run.replace:
                            kept = True
                            continue
                        before = Database(run.work / f"before-{new}-{database}", DATABASES[database])
                        copy_rows(target, before, new, new)
                        undo.callback(self._replace_rows, database, before, new, new)
                    else:
                        undo.callback(self._forget, database, new)
                    self._replace_rows(database, source, old, new)
            undo.pop_all()
        return kept

    def _replace_rows(self, database: str, source: Database, old: str, new: str) -> None:
        self._forget(database, new)
        COPIES[database][0](source, self._target(database), old, new)

    def _forget(self, database: str, collection: str) -> None:
        stores = self._stores
        holders: dict[str, tuple[CollectionStore, ...]] = {
            "contactsheet.db": (stores.revisions, stores.sources),
            "judgements.db": (stores.judgements,),
            "quality.db": (stores.runs,),
        }
        for store in holders[database]:
            store.forget(collection)

    # -- collections ----------------------------------------------------------------------------------------

    def _put_collection(self, run: _Run, source: BackedUpCollection, name: str) -> RestoredCollection:
        names = self._new_names(source, name)
        sources, kept_rows = self._sources(run), False
        with self._collections.staging(name) as staged:
            for file in _files(run.backup, "collections", source.name):
                run.copy(file, staged / Path(file.path).relative_to(f"collections/{source.name}"))
            derived = self._copy_derived(run, names)
            alone = Collections(staged.parent)
            alone.rename_siblings(name, names)
            moved = self._put_uploads(run, names)
            for new in names.values():
                if new == name or alone.is_whole(new):  # a sibling that was damaged already is as it was
                    alone.open(new).move_uris(moved)
            pictures = alone.open(name).count()

            def finish() -> None:
                nonlocal kept_rows
                kept_rows = self._put_rows(run, sources, names)
                for copy, target in derived:
                    with wrap_write_errors(target.parent):
                        target.parent.mkdir(parents=True, exist_ok=True)
                        copy.replace(target)

            aside = self._collections.put(staged, finish)
        return RestoredCollection(name, pictures, kept_rows, aside.name if aside else "")

    def _copy_derived(self, run: _Run, names: Mapping[str, str]) -> list[tuple[Path, Path]]:
        """Copies of dendrograms and maps, each with the place it belongs to; a damaged one is computed again."""
        found = []
        for old, new in names.items():
            for kind in ("linkages", "maps"):
                for file in _files(run.backup, kind, old):
                    copy = run.work / kind / new / Path(file.path).name
                    with suppress(BackupDamaged):
                        run.copy(file, copy)
                        found.append((copy, self._data / kind / new / copy.name))
        return found

    def _new_names(self, source: BackedUpCollection, name: str) -> dict[str, str]:
        """The new name of a collection and of each of its siblings.

        Raises CollectionError if one is taken, or if a sibling that is there would go without being in the backup.
        """
        names = {source.name: check_collection_name(name)}
        for sibling in source.siblings:
            names[sibling] = (
                sibling if name == source.name else _sibling_name(name, source.name, sibling, names.values())
            )
        known = self._collections.names()
        for new in names.values():
            if new in known and self._collections.home(new).name != name:
                raise CollectionError(f"there is a collection {new} already: restore under another name (--as NAME)")
        if name in known and (lost := set(self._collections.siblings(name)) - set(names.values())):
            raise CollectionError(
                f"{listed(sorted(lost))} lies beside {name} and is not in this backup: delete it first"
            )
        return names

    def _put_uploads(self, run: _Run, names: Mapping[str, str]) -> dict[str, str]:
        """Copy uploaded files, beside those that are there; returns the new uri of each by the old one."""
        moved = {}
        for old, new in names.items():
            for file in _files(run.backup, "uploads", old):
                name = Path(file.path).name
                target, number = self._data / "uploads" / new / name, 2
                while target.exists() and not run.place.is_copy(target, file):
                    target, number = target.with_name(_numbered(name, number)), number + 1
                if not target.exists():
                    run.copy(file, target)
                moved[path_to_uri(Path(run.backup.uploads) / old / name)] = path_to_uri(target.absolute())
        return moved


class _Run:
    """One restore under way."""

    def __init__(
        self, place: BackupPlace, backup: Backup, work: Path, replace: bool, listener: ProgressListener
    ) -> None:
        self.place, self.backup, self.work, self.replace = place, backup, work, replace
        self._listener, self._done = listener, 0

    def copy(self, file: BackedUpFile, target: Path) -> None:
        self.place.copy(file, target)
        self._done += file.size
        total = max(self.backup.size, self._done)
        self._listener(Progress(RESTORE_PHASE, self._done // 1_000_000, total // 1_000_000))


def _sibling_name(name: str, old: str, sibling: str, taken: Iterable[str]) -> str:
    """A name for the sibling of a collection that gets another name: `summer-new` for `holiday-new` of `holiday`."""
    ending = sibling.removeprefix(old).strip("-_")[:20] or "beside"
    names = chain([f"{name[:40]}-{ending}"], (f"{name[:40]}-{ending}-{number}" for number in count(2)))
    return next(free for free in names if free not in taken)


def _numbered(name: str, number: int) -> str:
    """`a-2.jpg` for `a.jpg`, short enough for a file system."""
    path = Path(name)
    stem = os.fsencode(path.stem)[: 200 - len(os.fsencode(path.suffix))].decode("utf-8", "ignore")
    return f"{stem}-{number}{path.suffix}"


def _files(backup: Backup, kind: str, collection: str) -> list[BackedUpFile]:
    return [file for file in backup.files if file.path.startswith(f"{kind}/{collection}/")]
