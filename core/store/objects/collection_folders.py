"""One folder per collection, for files that are computed or downloaded for it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from core.store.disk_errors import wrap_write_errors

_Files = TypeVar("_Files")


class CollectionFolders(Generic[_Files]):
    """The folders below `folder`, named by collection; called with a name, it opens that one's files."""

    def __init__(self, folder: Path, open_files: Callable[[Path], _Files]) -> None:
        self._folder, self._open_files = folder, open_files

    def __call__(self, collection: str) -> _Files:
        return self._open_files(self._folder / collection)

    def forget(self, collection: str) -> None:
        """Delete the folder of a collection, if there is one. Raises StoreError."""
        folder = self._folder / collection
        with wrap_write_errors(folder):
            if folder.exists():
                shutil.rmtree(folder)
