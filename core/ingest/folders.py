"""Finding image files below a folder, whatever else lies there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from core.embedding.images import SUFFIXES
from core.errors import ContactSheetError
from core.records import Failure
from core.store.names import uri_of


def image_files(root: Path) -> Iterator[Path | Failure]:
    """Every image file below `root` (or `root` itself), in a stable order; what cannot be followed as a Failure.

    Symbolic links are followed, a folder is entered once however many links lead to it. Hidden files and folders
    and files without an image's suffix are passed over. Raises ContactSheetError if `root` cannot be read.
    """
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise ContactSheetError(f"{root} is neither a folder nor a file: check the path")
    yield from _below(root, set())


def _below(folder: Path, entered: set[tuple[int, int]]) -> Iterator[Path | Failure]:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in entered:
            return
        entered.add((status.st_dev, status.st_ino))
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Failure(uri_of(folder), "folder cannot be read", error.strerror or "")
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        yield from _entry(Path(entry.path), entered)


def _entry(path: Path, entered: set[tuple[int, int]]) -> Iterator[Path | Failure]:
    if path.is_dir():
        yield from _below(path, entered)
    elif path.suffix.lower() in SUFFIXES:
        if path.is_file():
            yield path
        else:
            yield Failure(uri_of(path), "dangling link" if path.is_symlink() else "not a regular file")
