"""The maps of a collection's versions as files."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ClusterError
from core.logs import log
from core.store.disk_errors import wrap_read_errors, wrap_write_errors
from core.store.objects.array_files import DAMAGED_FILE_ERRORS, can_be_read
from core.store.objects.locks import write_lock

MAX_VERSIONS = 3
_FORMAT = "1"
_ID_BYTES = 32


@dataclass(frozen=True, eq=False)
class StoredMap:
    """The map of a collection version.

    `coordinates` (n, 2) float32 are those of `asset_ids` (n,). `fitted` (n,) bool marks the assets that the map was
    fitted with, from `seed`; the others were placed on it.
    """

    version: str
    asset_ids: tuple[str, ...]
    coordinates: NDArray[np.float32]
    fitted: NDArray[np.bool_]
    seed: int


class MapFiles:
    """The maps of the newest versions of one collection, one file each, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, version: str) -> StoredMap | None:
        """The map of a collection version; None if there is no such file.

        A damaged file is removed, logged and treated as missing. Raises StoreError if the disk cannot be read.
        """
        path = self._folder / f"{version}.npz"
        with wrap_read_errors(self._folder):
            try:
                with np.load(path, allow_pickle=False) as arrays:
                    return _checked(arrays, version)
            except FileNotFoundError:
                return None
            except DAMAGED_FILE_ERRORS as error:
                log("store", "a damaged map is removed", logging.WARNING, file=str(path), error=repr(error))
                path.unlink(missing_ok=True)
                return None

    def damaged(self) -> list[Path]:
        """The files that cannot be read."""
        return [path for path in sorted(self._folder.glob("*.npz")) if not can_be_read(path, _checked)]

    def latest(self) -> StoredMap | None:
        """The newest undamaged map, of whatever version: new assets are placed on it."""
        with wrap_read_errors(self._folder):
            newest_first = self._by_age()[::-1]
        maps = (self.get(path.stem) for _, path in newest_first)
        return next((stored for stored in maps if stored), None)

    def change_token(self) -> int:
        """A number that changes whenever a map is stored, 0 without one: a cheap check whether `latest` changed."""
        with wrap_read_errors(self._folder):
            return max((mtime_ns for mtime_ns, _ in self._by_age()), default=0)

    def put(self, stored: StoredMap) -> None:
        """Store a version's map atomically; only the newest 3 files are kept.

        Raises ClusterError if its arrays are inconsistent or not finite, StoreError if the disk is full or
        read-only, CollectionBusy if another process keeps writing.
        """
        _check(stored)
        ids = np.frombuffer(bytes.fromhex("".join(stored.asset_ids)), np.uint8).reshape(-1, _ID_BYTES)
        meta = np.array([_FORMAT, stored.version, str(stored.seed)])
        path, temporary = self._folder / f"{stored.version}.npz", self._folder / "map.draft"
        with write_lock(self._folder), wrap_write_errors(self._folder):
            try:
                with temporary.open("wb") as file:
                    np.savez(file, asset_ids=ids, coordinates=stored.coordinates, fitted=stored.fitted, meta=meta)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            # The new file stays whatever the clock says.
            for old in [other for _, other in self._by_age() if other != path][: -(MAX_VERSIONS - 1)]:
                old.unlink()

    def _by_age(self) -> list[tuple[int, Path]]:
        """The modification time (ns) of each file, the oldest first. Another process may remove some meanwhile."""
        found = []
        for path in self._folder.glob("*.npz"):
            with suppress(FileNotFoundError):
                found.append((path.stat().st_mtime_ns, path))
        return sorted(found)


def _checked(arrays: Mapping[str, NDArray[Any]], version: str) -> StoredMap:
    """Raises ValueError for another version, format or shape, KeyError for a missing part."""
    ids, coordinates, fitted = arrays["asset_ids"], arrays["coordinates"], arrays["fitted"]
    stored_format, stored_version, seed = arrays["meta"].tolist()
    shapes = (ids.shape, coordinates.shape, fitted.shape)
    if (stored_format, stored_version) != (_FORMAT, version) or shapes != (
        (len(ids), _ID_BYTES),
        (len(ids), 2),
        (len(ids),),
    ):
        raise ValueError(f"{stored_version} in format {stored_format} with shapes {shapes}")
    digits = ids.tobytes().hex()
    asset_ids = tuple(digits[at : at + 2 * _ID_BYTES] for at in range(0, len(digits), 2 * _ID_BYTES))
    return StoredMap(version, asset_ids, coordinates, fitted, int(seed))


def _check(stored: StoredMap) -> None:
    n, coordinates, fitted = len(stored.asset_ids), stored.coordinates, stored.fitted
    shapes_fit = coordinates.shape == (n, 2) and fitted.shape == (n,)
    if not shapes_fit or coordinates.dtype != np.float32 or fitted.dtype != np.bool_:
        found = f"{coordinates.shape} {coordinates.dtype} and {fitted.shape} {fitted.dtype}"
        raise ClusterError(f"the map of {n} assets is {(n, 2)} float32 and {(n,)} bool, not {found}: fit it again")
    if not np.isfinite(coordinates).all():
        raise ClusterError(f"the map of {n} assets has coordinates that are not finite: fit it again")
