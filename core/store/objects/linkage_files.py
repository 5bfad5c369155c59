"""The dendrograms of a collection's versions as files."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
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


class LinkageFiles:
    """The dendrograms of the newest versions of one collection, one file each, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, version: str) -> tuple[tuple[str, ...], NDArray[np.float64]] | None:
        """The asset ids in leaf order and z, (n - 1, 4) as in SciPy; None if there is no such file.

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
                log("store", "a damaged dendrogram is removed", logging.WARNING, file=str(path), error=repr(error))
                path.unlink(missing_ok=True)
                return None

    def damaged(self) -> list[Path]:
        """The files that cannot be read."""
        return [path for path in sorted(self._folder.glob("*.npz")) if not can_be_read(path, _checked)]

    def latest_version(self) -> str | None:
        """The version whose dendrogram was stored last, None if there is none."""
        with wrap_read_errors(self._folder):
            found = sorted(self._folder.glob("*.npz"), key=lambda path: path.stat().st_mtime_ns)
            return found[-1].stem if found else None

    def put(self, version: str, asset_ids: tuple[str, ...], z: NDArray[np.float64]) -> None:
        """Store a version's dendrogram atomically; only the newest 3 files are kept.

        Raises ClusterError if `z` does not have the shape for that many assets, StoreError if the disk is full or
        read-only, CollectionBusy if another process keeps writing.
        """
        _check_shape(len(asset_ids), z)
        ids = np.frombuffer(bytes.fromhex("".join(asset_ids)), np.uint8).reshape(len(asset_ids), _ID_BYTES)
        path, temporary = self._folder / f"{version}.npz", self._folder / "linkage.draft"
        with write_lock(self._folder), wrap_write_errors(self._folder):
            try:
                with temporary.open("wb") as file:
                    np.savez(file, asset_ids=ids, z=z, meta=np.array([_FORMAT, version]))
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
            # The new file counts as the newest whatever the clock says.
            by_age = sorted(self._folder.glob("*.npz"), key=lambda p: (p == path, p.stat().st_mtime_ns))
            for old in by_age[:-MAX_VERSIONS]:
                old.unlink()


def _checked(arrays: Mapping[str, NDArray[Any]], version: str) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Raises ValueError for another version, format or shape, KeyError for a missing part."""
    ids, z, meta = arrays["asset_ids"], arrays["z"], arrays["meta"].tolist()
    if meta != [_FORMAT, version] or ids.shape != (len(ids), _ID_BYTES) or z.shape != (max(len(ids) - 1, 0), 4):
        raise ValueError(f"{meta} with ids {ids.shape} and z {z.shape}")
    digits = ids.tobytes().hex()
    return tuple(digits[at : at + 2 * _ID_BYTES] for at in range(0, len(digits), 2 * _ID_BYTES)), z


def _check_shape(assets: int, z: NDArray[np.float64]) -> None:
    expected = (max(assets - 1, 0), 4)
    if z.shape != expected or z.dtype != np.float64:
        raise ClusterError(f"the dendrogram of {assets} assets is {expected} float64, not {z.shape} {z.dtype}")
