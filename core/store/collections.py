"""Collections on disk: one folder each, with a LanceDB table, a description and its locks.

A collection exists from the moment its `collection.json` does; that file is written last and as a whole.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from core.errors import CollectionError
from core.records import Collection, ModelCard, utc_now
from core.store import schema
from core.store.faults import read_faults, write_faults
from core.store.lock import write_lock
from core.store.names import check_collection_name
from core.store.table import AssetTable

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
        if not self._folder.is_dir():
            return []
        return sorted(p.name for p in self._folder.iterdir() if (p / DESCRIPTION).is_file())

    def describe(self, name: str) -> Collection:
        """Model, size and disk use of one collection. Raises CollectionError if there is none of that name."""
        about = self._read(name)
        return Collection(
            name=name,
            model=ModelCard(**about["model"]),
            size=self.open(name).count(),
            created_at=datetime.fromisoformat(about["created_at"]),
            bytes_on_disk=_bytes_below(self._folder / name),
        )

    def open(self, name: str) -> AssetTable:
        """The assets of a collection, brought to the present schema.

        Raises CollectionError if there is none of that name, or if a newer Contact Sheet wrote it.
        """
        about, folder = self._read(name), self._folder / name
        with read_faults(folder):
            table = _connect(folder).open_table(TABLE)
        if about["schema"] < schema.VERSION:
            self._migrate(folder, table, about)
        return AssetTable(name, ModelCard(**about["model"]), table, folder)

    def create(self, name: str, model: ModelCard) -> AssetTable:
        """A new, empty collection for vectors of `model`. Raises CollectionError if the name is taken."""
        folder = self._folder / check_collection_name(name)
        with write_lock(folder), write_faults(folder):
            if (folder / DESCRIPTION).exists():
                raise CollectionError(f"there is a collection {name} already: choose another name")
            empty = schema.arrow_schema(model.dimension).empty_table()
            _connect(folder).create_table(TABLE, empty, mode="overwrite")
            about = {"schema": schema.VERSION, "model": vars(model), "created_at": utc_now().isoformat()}
            _write_whole(folder / DESCRIPTION, json.dumps(about, indent=1))
        return self.open(name)

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
        about, folder = self._read(name), self._folder / name
        with write_lock(folder), write_faults(folder):
            _write_whole(folder / DESCRIPTION, json.dumps({**about, "built_from": built_from}, indent=1))

    def built_from(self, name: str) -> str | None:
        """What `mark` noted, or None; also where there is no such collection. Opens no table."""
        return self._read(name).get("built_from") if name in self.names() else None

    def remove(self, name: str) -> None:
        """Delete a collection; it is gone at once, its files follow."""
        folder = self._folder / name
        with write_faults(folder):
            with write_lock(folder):
                self._read(name)
                (folder / DESCRIPTION).unlink()
            shutil.rmtree(folder)

    def _read(self, name: str) -> dict[str, Any]:
        path = self._folder / check_collection_name(name) / DESCRIPTION
        try:
            about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = ", ".join(self.names()) or "none yet"
            raise CollectionError(
                f"there is no collection {name!r} (there are: {known}): ingest a folder first"
            ) from None
        except (OSError, ValueError) as error:
            raise CollectionError(f"{path} cannot be read ({error}): restore it from a backup") from error
        if about["schema"] > schema.VERSION:
            raise CollectionError(
                f"collection {name} has schema {about['schema']}, this version knows up to {schema.VERSION}: update"
            )
        return about

    def _migrate(self, folder: Path, table: Any, about: dict[str, Any]) -> None:
        with write_lock(folder), write_faults(folder):
            for step in MIGRATIONS[about["schema"] - 1 : schema.VERSION - 1]:
                step(table)
            _write_whole(folder / DESCRIPTION, json.dumps({**about, "schema": schema.VERSION}, indent=1))
            table.checkout_latest()


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
