"""Puts collections and databases of a backup back. What works stays as it is unless it is to be replaced."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
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
from core.store.objects.backup_place import BackupPlace
from core.store.objects.locks import held_lock
from core.store.objects.names import check_collection_name, path_to_uri
from core.store.sql.collection_rows import COPIES, has_rows
from core.store.sql.damage import database_damage, inode_of, set_aside
from core.store.sql.database import Database
from core.store.sql.database_copy import needs_restoring, put_database
from core.store.stores import DATABASES, IRREPLACEABLE, Stores
from core.text import format_bytes

WORK, LOCK = ".restore-", ".restore.lock"


class Restorer:
    """Restores into one data folder."""

    def __init__(
        self, data: Path, collections: Collections, stores: Stores, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._data, self._collections, self._stores, self._clock = data, collections, stores, clock

    def restore(self, place: BackupPlace, options: RestoreOptions, listener: ProgressListener) -> RestoreReport:
        """Restore, one collection after the other, each as a whole or not at all.

        Raises CollectionError if a collection is there that would be replaced, or is not in the backup; CollectionBusy;
        StoreError, BackupDamaged; a listener may raise Cancelled.
        """
        began = self._clock()
        with place.reading(), self._alone(), self._work_folder() as work:
            backup = place.get(options.backup_id or _newest(place))
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
        with self._alone():
            if path.exists() and not database_damage(path):
                raise StoreError(f"{database} is not damaged: nothing was changed")
            kept = set_aside(path, inode_of(path))
            with Database(path, DATABASES[database]).reading():
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
        needed = sum(file.size for c in chosen for file in _files(backup, "collections", c.name))
        needed += sum(file.size for file in backup.files if file.path in DATABASES)
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

    def _put_rows(self, run: _Run, names: Mapping[str, str]) -> bool:
        """Copy what databases hold about collections, each under its new name; whether some kept what was there."""
        kept = False
        for file in run.backup.files:
            if file.path not in COPIES:
                continue
            copy, (copy_rows, table) = run.work / file.path, COPIES[file.path]
            if not copy.exists():
                run.copy(file, copy)
            source = Database(copy, DATABASES[file.path])
            target = Database(self._data / file.path, DATABASES[file.path])
            for old, new in names.items():
                if has_rows(target, table, new) or (table == "revisions" and has_rows(target, "drafts", new)):
                    if not run.replace:
                        kept = True
                        continue
                    self._forget(file.path, new)
                copy_rows(source, target, old, new)
        return kept

    def _forget(self, database: str, collection: str) -> None:
        stores = self._stores
        holders: dict[str, CollectionStore] = {
            "contactsheet.db": stores.revisions,
            "judgements.db": stores.judgements,
            "quality.db": stores.runs,
        }
        holders[database].forget(collection)

    # -- collections ----------------------------------------------------------------------------------------

    def _put_collection(self, run: _Run, source: BackedUpCollection, name: str) -> RestoredCollection:
        names = self._new_names(source, name)
        kept_rows = False

        def finish() -> None:
            nonlocal kept_rows
            kept_rows = self._put_rows(run, names)
            for old, new in names.items():
                for kind in ("linkages", "maps"):
                    for file in _files(run.backup, kind, old):
                        run.copy(file, self._data / kind / new / Path(file.path).name)

        with self._collections.staging(name) as staged:
            for file in _files(run.backup, "collections", source.name):
                run.copy(file, staged / Path(file.path).relative_to(f"collections/{source.name}"))
            alone = Collections(staged.parent)
            alone.rename_siblings(name, names)
            moved = self._put_uploads(run, names)
            for new in names.values():
                alone.open(new).move_uris(moved)
            pictures = alone.open(name).count()
            aside = self._collections.put(staged, finish)
        return RestoredCollection(name, pictures, kept_rows, aside.name if aside else "")

    def _new_names(self, source: BackedUpCollection, name: str) -> dict[str, str]:
        """The new name of a collection and of each of its siblings. Raises CollectionError if one is taken."""
        names = {source.name: name}
        for sibling in source.siblings:
            own = sibling if name == source.name else f"{name}-{sibling.removeprefix(source.name).strip('-')}"[:63]
            names[sibling] = check_collection_name(own)
        for new in list(names.values())[1:]:
            if new in self._collections.names() and self._collections.home(new).name != name:
                raise CollectionError(f"there is a collection {new} already, to lie beside {name}: delete it first")
        return names

    def _put_uploads(self, run: _Run, names: Mapping[str, str]) -> dict[str, str]:
        """Copy uploaded files, beside those that are there; returns the new uri of each by the old one."""
        moved = {}
        for old, new in names.items():
            for file in _files(run.backup, "uploads", old):
                name = Path(file.path).name
                target, number = self._data / "uploads" / new / name, 2
                while target.exists() and not run.place.is_copy(target, file):
                    target, number = target.with_name(f"{Path(name).stem}-{number}{Path(name).suffix}"), number + 1
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


def _newest(place: BackupPlace) -> str:
    ids = place.ids()
    if not ids:
        raise StoreError(f"{place.folder} holds no backup yet: make one with `python -m core backup`")
    return ids[-1]


def _files(backup: Backup, kind: str, collection: str) -> list[BackedUpFile]:
    return [file for file in backup.files if file.path.startswith(f"{kind}/{collection}/")]
