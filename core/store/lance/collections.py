"""Collections on disk: one folder each, with a LanceDB table, a description and its locks.

A collection exists from the moment its `collection.json` does; that file is written last and as a whole. The same
pictures embedded by another model are a collection beside it: another table in the same folder, under a name of its own
in the same file. So one file says which name means which table, and switching over is one write of it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from core.errors import CollectionError
from core.records.assets import Collection, ModelCard, utc_now
from core.store.disk_errors import wrap_read_errors, wrap_write_errors
from core.store.lance import schema
from core.store.lance.bin import SUFFIX
from core.store.lance.table import AssetTable
from core.store.objects.locks import ingest_lock, write_lock
from core.store.objects.names import check_collection_name

DESCRIPTION = "collection.json"
TABLE = "assets"

# MIGRATIONS[v - 1] brings a table from schema version v to v + 1. Each may run twice without harm.
MIGRATIONS: tuple[Callable[[Any], None], ...] = ()


class Collections:
    """All collections below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """The names of all collections, sorted."""
        return sorted(name for home in self._homes() for name in (home.name, *_beside(home)))

    def beside(self, name: str) -> tuple[str, ...]:
        """The collections that lie beside one: the same pictures under other models. None for one of those."""
        return tuple(sorted(_beside(self._folder / check_collection_name(name))))

    def stamp(self, name: str) -> tuple[int, int]:
        """Something that changes when a name may mean another table. Raises CollectionError if there is none."""
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
            bytes_on_disk=sum(_bytes_below(folder) for folder in _tables(home, about)),
            beside="" if home.name == name else home.name,
        )

    def open(self, name: str) -> AssetTable:
        """The assets of a collection, brought to the present schema.

        Raises CollectionError if there is none of that name, or if a newer Contact Sheet wrote it.
        """
        about, home = self._read(name), self._home(name)
        with wrap_read_errors(home):
            table = _connect(home).open_table(about.get("table", TABLE))
        if about["schema"] < schema.VERSION:
            self._migrate(name, table, about)
        return AssetTable(name, ModelCard(**about["model"]), table, home)

    def create(self, name: str, model: ModelCard) -> AssetTable:
        """A new, empty collection for vectors of `model`. Raises CollectionError if the name is taken."""
        folder = self._folder / check_collection_name(name)
        with wrap_write_errors(folder):
            _connect(folder)  # what it imports takes seconds on a busy machine: nobody should wait for the lock so long
        with write_lock(folder), wrap_write_errors(folder):
            if name in self.names():
                raise CollectionError(f"there is a collection {name} already: choose another name")
            _write(folder, _new_table(folder, TABLE, model))
        return self.open(name)

    def create_beside(self, name: str, of: str, model: ModelCard) -> AssetTable:
        """A new, empty collection beside `of`, for vectors of another model.

        Raises CollectionError if the name is taken or `of` itself lies beside another one.
        """
        check_collection_name(name)
        home = self._home(of)
        if home.name != of:
            raise CollectionError(f"{of} lies beside {home.name}: embed that one with another model")
        with write_lock(home), wrap_write_errors(home):
            if name in self.names():
                raise CollectionError(f"there is a collection {name} already: choose another name")
            whole = _whole(home)
            others = whole.get("beside", {})
            taken = {about.get("table", TABLE) for about in (whole, *others.values())}
            table = next(free for number in count(2) if (free := f"{TABLE}-{number}") not in taken)
            _write(home, {**whole, "beside": {**others, name: _new_table(home, table, model)}})
        return self.open(name)

    def switch(self, name: str, to: str) -> str:
        """Let `name` mean what the collection `to` beside it means; the old one is `NAME-old…`, all in one write.

        Returns the old one's name. Raises CollectionBusy if an ingest into either is running, CollectionError if `to`
        is not beside `name`.
        """
        home = self._home(name)
        with ingest_lock(home), write_lock(home), wrap_write_errors(home):
            if to not in self.beside(name):
                raise CollectionError(f"{to} does not lie beside {name}: embed it with another model first")
            names = (f"{name[:50]}-old" + (f"-{number}" if number > 1 else "") for number in count(1))
            old = next(free for free in names if free not in self.names())
            before = _whole(home)
            others = before.pop("beside")
            new = others.pop(to)
            _write(home, {**new, "beside": {**others, old: before}})
        return old

    def open_or_create(self, name: str, model: ModelCard) -> AssetTable:
        """The assets of a collection, made now unless another process was faster.

        Raises CollectionError if that other one chose another model.
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

    def mark(self, name: str, built_from: str) -> None:
        """Note what a collection was completely built from."""
        home = self._home(name)
        with write_lock(home), wrap_write_errors(home):
            self._rewrite(name, {**self._read(name), "built_from": built_from})

    def built_from(self, name: str) -> str | None:
        """What `mark` noted, or None; also where there is no such collection. Opens no table."""
        return self._read(name).get("built_from") if name in self.names() else None

    def remove(self, name: str) -> None:
        """Delete a collection, with what lies beside it; it is gone at once, its files follow.

        Raises CollectionBusy if an ingest into it is running.
        """
        home = self._home(name)
        with wrap_write_errors(home):
            with ingest_lock(home), write_lock(home):
                about = self._read(name)
                if home.name == name:
                    (home / DESCRIPTION).unlink()
                else:
                    whole = _whole(home)
                    del whole["beside"][name]
                    _write(home, whole)
            for folder in [home] if home.name == name else _tables(home, about):
                if folder.exists():
                    shutil.rmtree(folder)

    def _homes(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return [folder for folder in self._folder.iterdir() if (folder / DESCRIPTION).is_file()]

    def _home(self, name: str) -> Path:
        """The folder that holds a collection. Raises CollectionError if there is none of that name."""
        own = self._folder / check_collection_name(name)
        if (own / DESCRIPTION).is_file():
            return own
        found = next((home for home in self._homes() if name in _beside(home)), None)
        if found is None:
            known = ", ".join(self.names()) or "none yet"
            raise CollectionError(f"there is no collection {name!r} (there are: {known}): ingest a folder first")
        return found

    def _read(self, name: str) -> dict[str, Any]:
        home = self._home(name)
        about = _whole(home)
        if home.name != name:
            about = about["beside"][name]
        if about["schema"] > schema.VERSION:
            raise CollectionError(
                f"collection {name} has schema {about['schema']}, this version knows up to {schema.VERSION}: update"
            )
        return about

    def _migrate(self, name: str, table: Any, about: dict[str, Any]) -> None:
        home = self._home(name)
        with write_lock(home), wrap_write_errors(home):
            for step in MIGRATIONS[about["schema"] - 1 : schema.VERSION - 1]:
                step(table)
            self._rewrite(name, {**self._read(name), "schema": schema.VERSION})
            table.checkout_latest()

    def _rewrite(self, name: str, about: dict[str, Any]) -> None:
        home = self._home(name)
        if home.name != name:
            whole = _whole(home)
            about = {**whole, "beside": {**whole["beside"], name: about}}
        _write(home, about)


def _whole(home: Path) -> dict[str, Any]:
    """The description in a folder: of the collection itself, and under `beside` of those beside it."""
    path = home / DESCRIPTION
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CollectionError(f"{path} cannot be read ({error}): restore it from a backup") from error
    return about


def _beside(home: Path) -> dict[str, Any]:
    """The descriptions of what lies beside the collection in a folder; none where that one cannot be read."""
    try:
        beside: dict[str, Any] = _whole(home).get("beside", {})
    except CollectionError:
        return {}
    return beside


def _write(home: Path, about: dict[str, Any]) -> None:
    _write_whole(home / DESCRIPTION, json.dumps(about, indent=1))


def _new_table(home: Path, table: str, model: ModelCard) -> dict[str, Any]:
    """Make an empty table, over what a cut-off attempt left; the description of it."""
    empty = schema.arrow_schema(model.dimension).empty_table()
    _connect(home).create_table(table, empty, mode="overwrite")
    return {"schema": schema.VERSION, "model": vars(model), "created_at": utc_now().isoformat(), "table": table}


def _tables(home: Path, about: dict[str, Any]) -> list[Path]:
    """Where a collection's rows lie, and its bin's."""
    table = about.get("table", TABLE)
    return [home / f"{table}.lance", home / f"{table}{SUFFIX}.lance"]


def _connect(folder: Path) -> Any:
    import lancedb  # takes over a second: only what opens a table should wait for it

    return lancedb.connect(folder)


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _bytes_below(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # compaction removes files while we look
            continue
    return total
