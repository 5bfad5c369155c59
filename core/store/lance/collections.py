"""Collections on disk: one folder each, with a LanceDB table, a description and its locks.

A collection exists once its `collection.json` does; that file is written last and atomically. The same pictures
embedded by another model are a sibling collection: another table in the same folder, under its own name in the same
file. So one file maps names to tables, and switching to another model is one write of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa

from core.disk import write_durably
from core.errors import CollectionDamaged, CollectionError, StoreError
from core.records.assets import Collection, DamagedCollection, ModelCard, utc_now
from core.records.jobs import ignore
from core.store.disk_errors import reason, wrap_read_errors, wrap_write_errors
from core.store.lance import schema
from core.store.lance.bin import SUFFIX, Bin
from core.store.lance.table import AssetTable
from core.store.objects.locks import ingest_lock, write_lock
from core.store.objects.names import check_collection_name, is_collection_name

DESCRIPTION = "collection.json"
TABLE = "assets"
DELETED, DAMAGED, REPLACED, STAGING = ".deleted-", ".damaged-", ".replaced-", ".restoring-"
INTERRUPTED = "its restore was interrupted: run it again"
CHECKSUM = "checksum"  # in a description, of all that it holds besides
RESTORING = "restoring"  # in the description of a collection whose restore has not come to its end
_TABLE_NAME = re.compile(rf"{TABLE}(-[0-9]+)?")


def _add_checksums(table: Any) -> None:
    _add_columns(table, schema.CHECKSUM_FIELDS)


def _add_locations_and_fields(table: Any) -> None:
    _add_columns(table, schema.ADDED_FIELDS)


def _add_columns(table: Any, fields: Sequence[pa.Field]) -> None:
    missing = [field for field in fields if field.name not in table.schema.names]
    if missing:
        table.add_columns(pa.schema(missing))


# MIGRATIONS[v - 1] upgrades a table, or the bin beside it, from schema version v to v + 1. Each must be idempotent.
MIGRATIONS: tuple[Callable[[Any], None], ...] = (_add_checksums, _add_locations_and_fields)


class Collections:
    """All collections below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """The names of all collections, also of damaged ones, sorted."""
        return sorted({name for home in self._homes() for name in (home.name, *_read_siblings(home))})

    def survey(self) -> tuple[list[Collection], list[DamagedCollection]]:
        """All collections by name, and those that cannot be opened. One damaged collection hides no other."""
        found, damaged = [], []
        for name in self.names():
            try:
                found.append(self.describe(name))
            except (CollectionError, StoreError) as error:
                if name in self.names():  # it was not just deleted
                    damaged.append(DamagedCollection(name, str(error), getattr(error, "cause", "")))
        return found, damaged

    def siblings(self, name: str) -> tuple[str, ...]:
        """The siblings of a collection: the same pictures under other models. Empty for a sibling itself."""
        return tuple(sorted(_read_siblings(self._folder / check_collection_name(name))))

    def change_token(self, name: str) -> tuple[int, int]:
        """A value that changes when `name` may map to another table. Raises CollectionError if there is none."""
        with _damage(name):
            status = (self._home(name) / DESCRIPTION).stat()
        return status.st_ino, status.st_mtime_ns

    def describe(self, name: str) -> Collection:
        """Model, size and disk use of one collection. Raises CollectionError if there is none of that name."""
        about, home = self._read(name), self._home(name)
        return Collection(
            name=name,
            model=ModelCard(**about["model"]),
            size=self.open(name).count(),
            created_at=datetime.fromisoformat(about["created_at"]),
            bytes_on_disk=sum(_bytes_below(folder) for folder in _table_folders(home, about)),
            sibling_of="" if home.name == name else home.name,
        )

    def open(self, name: str) -> AssetTable:
        """The assets of a collection, migrated to the current schema.

        Raises CollectionError if there is none of that name, or if a newer Contact Sheet wrote it.
        """
        about, home = self._read(name), self._home(name)
        with _damage(name, home.name), wrap_read_errors(home):
            table = _connect(home).open_table(about.get("table", TABLE))
        if about["schema"] < schema.VERSION and os.access(home, os.W_OK):  # one that cannot be written can be read
            self._migrate(name, table, about)
        return AssetTable(name, ModelCard(**about["model"]), table, home)

    def create(self, name: str, model: ModelCard) -> AssetTable:
        """A new, empty collection for vectors of `model`. Raises CollectionError if the name is taken."""
        folder = self._folder / check_collection_name(name)
        with wrap_write_errors(folder):
            _connect(folder)  # importing LanceDB takes seconds on a busy machine: do it before taking the lock
        with write_lock(folder), wrap_write_errors(folder):
            if name in self.names():
                raise CollectionError(f"there is a collection {name} already: choose another name")
            _write_description(folder, _new_table(folder, TABLE, model))
        return self.open(name)

    def create_sibling(self, name: str, sibling_of: str, model: ModelCard) -> AssetTable:
        """A new, empty collection for the pictures of `sibling_of` and vectors of another model.

        Raises CollectionError if the name is taken or `sibling_of` is a sibling itself.
        """
        check_collection_name(name)
        home = self._home(sibling_of)
        if home.name != sibling_of:
            raise CollectionError(f"{sibling_of} lies beside {home.name}: embed that one with another model")
        with write_lock(home), wrap_write_errors(home):
            if name in self.names():
                raise CollectionError(f"there is a collection {name} already: choose another name")
            description = _read_description(home)
            siblings = description.get("beside", {})
            taken = {about.get("table", TABLE) for about in (description, *siblings.values())}
            table = next(free for number in count(2) if (free := f"{TABLE}-{number}") not in taken)
            siblings = {**siblings, name: _new_table(home, table, model)}
            _write_description(home, {**description, "beside": siblings})
        return self.open(name)

    def switch(self, name: str, to: str) -> str:
        """Give the sibling `to` the name `name`; the previous one becomes the sibling `NAME-old…`, all in one write.

        Returns the new name of the previous one. Raises CollectionBusy if an ingest into either is running,
        CollectionError if `to` is no sibling of `name`.
        """
        home = self._home(name)
        with ingest_lock(home), write_lock(home), wrap_write_errors(home):
            if to not in self.siblings(name):
                raise CollectionError(f"{to} does not lie beside {name}: embed it with another model first")
            candidates = (f"{name[:50]}-old" + (f"-{number}" if number > 1 else "") for number in count(1))
            old_name = next(free for free in candidates if free not in self.names())
            old = _read_description(home)
            siblings = old.pop("beside")
            new = siblings.pop(to)
            _write_description(home, {**new, "beside": {**siblings, old_name: old}})
        return old_name

    def open_or_create(self, name: str, model: ModelCard) -> AssetTable:
        """The assets of a collection, created now unless another process was faster.

        Raises CollectionError if the other process chose another model.
        """
        try:
            return self.create(name, model)
        except CollectionError:
            table = self.open(name)
        if table.model != model:
            raise CollectionError(
                f"collection {name} was just made for {table.model.name}, not for {model.name}: choose another name"
            )
        return table

    def set_built_from(self, name: str, built_from: str) -> None:
        """Record what a collection was completely built from."""
        home = self._home(name)
        with write_lock(home), wrap_write_errors(home):
            self._rewrite(name, {**self._read(name), "built_from": built_from})

    def built_from(self, name: str) -> str | None:
        """What `set_built_from` recorded, or None; also if there is no such collection. Opens no table."""
        return self._read(name).get("built_from") if name in self.names() else None

    def home(self, name: str) -> Path:
        """The folder that holds a collection and its siblings; its name is that of the collection. Raises
        CollectionError if there is none of that name.
        """
        return self._home(name)

    def rename_siblings(self, name: str, names: Mapping[str, str]) -> None:
        """Give the siblings of a collection the names that `names` has for them; nobody else may use it meanwhile."""
        home = self._folder / name
        about = _read_description(home)
        siblings = {names[old]: entry for old, entry in about.get("beside", {}).items()}
        with wrap_write_errors(home):
            _write_description(home, {**about, "beside": siblings} if siblings else about)

    def is_whole(self, name: str) -> bool:
        """Whether a collection can be opened, as far as that can be told without reading its rows."""
        try:
            self.open(name)
        except (CollectionError, StoreError):
            return False
        return True

    @contextmanager
    def staging(self, name: str) -> Iterator[Path]:
        """A folder on the same disk in which a collection of that name can be put together; it is gone afterwards.

        What an interrupted process left there before is deleted.
        """
        check_collection_name(name)
        with wrap_write_errors(self._folder):
            for folder in self._folder.glob(f"{STAGING}*"):
                _remove(folder)
            parent = self._folder / f"{STAGING}{uuid.uuid4().hex}"
            (parent / name).mkdir(parents=True)
        try:
            yield parent / name
        finally:
            _remove(parent)

    def put(self, staged: Path, finish: Callable[[], None]) -> Path | None:
        """Make a collection of a folder from `staging`, in the place of one of its name, if there is one.

        Until `finish` has returned it counts as damaged, so that one whose rows in other stores are not there yet is
        never used; if `finish` raises, everything is as it was. Returns the folder of a damaged one that was replaced,
        which is kept under another name. Raises CollectionBusy.
        """
        name, home = staged.name, self._folder / staged.name
        about = _read_description(staged)
        with ingest_lock(home), write_lock(home):
            was_damaged = _is_home(home) and not self.is_whole(name)
            kept = was_damaged and not _is_being_restored(home)
            old = home.with_name(f".{name}{DAMAGED if kept else REPLACED}{uuid.uuid4().hex}")
            with wrap_write_errors(home):
                _write_description(staged, {**about, RESTORING: True})
                home.rename(old)
                staged.rename(home)
            try:
                finish()
            except BaseException:
                with wrap_write_errors(home):
                    home.rename(staged)
                    old.rename(home)
                raise
            with wrap_write_errors(home):
                _write_description(home, about)
        self._remove_replaced(name)
        return old if kept else None

    def _remove_replaced(self, name: str) -> None:
        with wrap_write_errors(self._folder):
            for folder in self._folder.glob(f".{name}{REPLACED}*"):
                _remove(folder)

    def delete(self, name: str, forget: Callable[[str], None] = ignore) -> None:
        """Delete a collection, with its siblings: one write removes it from the list, its files follow.

        `forget`, which erases what other stores have about it, is called first, while nobody can ingest into it. Raises
        CollectionBusy if an ingest into it is running.
        """
        home = self._home(name)
        with ingest_lock(home):
            # The collection itself goes last. Whoever is interrupted finds it still listed and deletes it again. The
            # other way round, drafts and thumbs would be left under a name that nobody can delete any more, and the
            # next collection of that name would inherit them.
            forget(name)
            with write_lock(home), wrap_write_errors(home):
                if home.name == name:
                    # Moved before the locks are released, so that a new collection of the name has a folder of its own.
                    home.rename(home.with_name(f".{name}{DELETED}{uuid.uuid4().hex}"))
                else:
                    description = _read_description(home)
                    about = description["beside"].pop(name)
                    _write_description(home, description)
                    for folder in _table_folders(home, about):
                        _remove(folder)
        with wrap_write_errors(self._folder):
            for folder in self._folder.glob(f".*{DELETED}*"):  # also of deletions that were interrupted
                _remove(folder)
        self._remove_replaced(name)

    def _homes(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        folders = list(self._folder.iterdir())
        homes = [home for home in folders if is_collection_name(home.name) and _is_home(home)]
        # One whose restore was killed between taking the old folder away and putting the new one there.
        replaced = {folder.name[1:].partition(REPLACED)[0] for folder in folders if REPLACED in folder.name}
        return homes + [self._folder / name for name in replaced - {home.name for home in homes}]

    def _home(self, name: str) -> Path:
        """The folder that holds a collection. Raises CollectionError if there is none of that name."""
        own = self._folder / check_collection_name(name)
        if _is_home(own):
            return own
        found = next((home for home in self._homes() if home == own or name in _read_siblings(home)), None)
        if found is None:
            known = ", ".join(self.names()) or "none yet"
            raise CollectionError(f"there is no collection {name!r} (there are: {known}): ingest a folder first")
        return found

    def _read(self, name: str) -> dict[str, Any]:
        home = self._home(name)
        about = _read_description(home)
        if home.name != name:
            about = {**about["beside"][name], **{key: about[key] for key in (RESTORING,) if key in about}}
        if RESTORING in about:
            raise CollectionDamaged(name, INTERRUPTED)
        if about["schema"] > schema.VERSION:
            raise CollectionError(
                f"collection {name} has schema {about['schema']}, this version knows up to {schema.VERSION}: update"
            )
        return about

    def _migrate(self, name: str, table: Any, about: dict[str, Any]) -> None:
        home = self._home(name)
        with write_lock(home), wrap_write_errors(home):
            tables = [table, *Bin.open(home, about.get("table", TABLE))]
            for step in MIGRATIONS[about["schema"] - 1 : schema.VERSION - 1]:
                for each in tables:
                    step(each)
            self._rewrite(name, {**self._read(name), "schema": schema.VERSION})
            table.checkout_latest()

    def _rewrite(self, name: str, about: dict[str, Any]) -> None:
        home = self._home(name)
        if home.name != name:
            description = _read_description(home)
            about = {**description, "beside": {**description["beside"], name: about}}
        _write_description(home, about)


def _is_home(folder: Path) -> bool:
    """Whether a folder holds a collection: its description, or rows whose description is gone.

    What an interrupted creation leaves has no rows.
    """
    try:
        return (folder / DESCRIPTION).exists() or any(folder.glob("*.lance/data/*.lance"))
    except OSError:  # a folder that cannot be read
        return True


@contextmanager
def _damage(name: str, home: str = "") -> Iterator[None]:
    """Around opening a collection: raises CollectionDamaged for what is neither a full disk nor a lack of rights."""
    try:
        yield
    except StoreError as error:
        raise CollectionDamaged(name, reason(error.__cause__ or error), home) from error
    except OSError as error:
        raise CollectionDamaged(name, f"{DESCRIPTION}: {error.strerror}") from error


def _read_description(home: Path) -> dict[str, Any]:
    """The description in a folder: of the collection itself, and under `beside` of its siblings.

    Raises CollectionDamaged if it is none.
    """
    try:
        return _parse_description((home / DESCRIPTION).read_text(encoding="utf-8"))
    except OSError as error:
        interrupted = any(home.parent.glob(f".{home.name}{REPLACED}*")) and not _is_home(home)
        cause = INTERRUPTED if interrupted else f"its description cannot be read, {DESCRIPTION}: {error.strerror}"
        raise CollectionDamaged(home.name, cause) from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise CollectionDamaged(home.name, f"its description cannot be read: {DESCRIPTION}") from error


def _parse_description(text: str) -> dict[str, Any]:
    """Raises AttributeError, KeyError, RecursionError, TypeError or ValueError for what is no description."""
    about: dict[str, Any] = json.loads(text)
    written = about.pop(CHECKSUM, None)
    # An older version wrote none, a newer one may write it otherwise.
    if written not in (None, _checksum(about)) and about["schema"] <= schema.VERSION:
        raise ValueError("it is not what was written")
    for entry in (about, *about.get("beside", {}).values()):
        _check_entry(entry)
    return about


def _is_being_restored(home: Path) -> bool:
    try:
        return RESTORING in _read_description(home)
    except CollectionDamaged:
        return False


def _check_entry(entry: Any) -> None:
    """Raises AttributeError, KeyError, TypeError or ValueError unless this describes one table."""
    model = ModelCard(**entry["model"])
    if not (isinstance(model.name, str) and isinstance(model.checkpoint, str) and 0 < model.dimension < 1 << 20):
        raise ValueError(f"{model} is no model")
    if not (isinstance(entry["schema"], int) and entry["schema"] > 0):
        raise ValueError(f"{entry['schema']} is no schema")
    if not _TABLE_NAME.fullmatch(entry.get("table", TABLE)):
        raise ValueError(f"{entry['table']} is no table")
    datetime.fromisoformat(entry["created_at"])


def _read_siblings(home: Path) -> dict[str, Any]:
    """The descriptions of the siblings in a folder; empty if they cannot be read."""
    try:
        siblings: dict[str, Any] = _read_description(home).get("beside", {})
    except CollectionDamaged:
        return {}
    return siblings


def _write_description(home: Path, about: dict[str, Any]) -> None:
    plain = json.loads(json.dumps(about))
    _write_atomically(home / DESCRIPTION, json.dumps({**plain, CHECKSUM: _checksum(plain)}, indent=1))


def _checksum(about: dict[str, Any]) -> str:
    """16 hexadecimal digits of a description without its own checksum."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def _new_table(home: Path, table: str, model: ModelCard) -> dict[str, Any]:
    """Create an empty table and return its description.

    What an interrupted creation or deletion left under that name goes first: its bin would be this collection's.
    """
    for folder in _table_folders(home, {"table": table}):
        _remove(folder)
    empty = schema.arrow_schema(model.dimension).empty_table()
    _connect(home).create_table(table, empty, mode="overwrite")
    return {"schema": schema.VERSION, "model": vars(model), "created_at": utc_now().isoformat(), "table": table}


def _table_folders(home: Path, about: dict[str, Any]) -> list[Path]:
    """The folders of a collection's rows and of its bin."""
    table = about.get("table", TABLE)
    return [home / f"{table}.lance", home / f"{table}{SUFFIX}.lance"]


def _connect(folder: Path) -> Any:
    import lancedb  # takes over a second: imported only when a table is opened

    return lancedb.connect(folder)


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_suffix(".draft")
    write_durably(temporary, text.encode())
    temporary.replace(path)


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):  # another process may remove it too
        shutil.rmtree(folder)


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # compaction may remove files meanwhile
            continue
    return total
