"""Finds image files below a folder, whatever else is there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.embedding.images import SUFFIXES
from core.errors import ContactSheetError
from core.records.jobs import Failure
from core.store.objects.names import path_to_uri, uri_to_path


def image_files(root: Path) -> Iterator[Path | Failure]:
    """Every image file below `root` (or `root` itself), in a stable order; what cannot be reached as a Failure.

    Symbolic links are followed; a folder is visited once however many links lead to it. Hidden files and folders
    and files without an image's suffix are skipped; a dangling link is a Failure whatever its name, since its
    target may have been a folder. Raises ContactSheetError if `root` cannot be read.
    """
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise ContactSheetError(f"{root} is neither a folder nor a file: check the path")
    visited: set[tuple[int, int]] = set()
    pending = [root]
    while pending:  # no recursion: folders may be nested deeper than Python's stack
        found = _visit(pending.pop(), visited)
        if isinstance(found, list):
            pending += reversed(found)
        elif found is not None:
            yield found


def _visit(path: Path, visited: set[tuple[int, int]]) -> Path | Failure | list[Path] | None:
    """A folder's entries; else the file if it is an image by its name, the failure, or None for what is skipped."""
    try:
        status = path.stat()
    except OSError as error:
        return _unreachable(path, error)
    if stat.S_ISDIR(status.st_mode):
        return _entries(path, (status.st_dev, status.st_ino), visited)
    if path.suffix.lower() not in SUFFIXES:
        return None
    return path if stat.S_ISREG(status.st_mode) else Failure(path_to_uri(path), "not a regular file")


def _entries(folder: Path, identity: tuple[int, int], visited: set[tuple[int, int]]) -> list[Path] | Failure:
    if identity in visited:
        return []
    visited.add(identity)
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        return Failure(path_to_uri(folder), "folder cannot be read", error.strerror or "")
    return [folder / name for name in names if not name.startswith(".") and name != "__MACOSX"]


def _unreachable(path: Path, error: OSError) -> Failure | None:
    if error.errno in (errno.ENOENT, errno.ELOOP) and path.is_symlink():
        return Failure(path_to_uri(path), "dangling link")
    if isinstance(error, FileNotFoundError):  # deleted a moment ago
        return Failure(path_to_uri(path), "no such file") if path.suffix.lower() in SUFFIXES else None
    return Failure(path_to_uri(path), "cannot be read", error.strerror or "")


def files_by_uri(uris: Sequence[str]) -> list[Path | Failure]:
    """The files with these uris; those that no longer exist as failures."""
    paths = [uri_to_path(uri) for uri in uris]
    return [path if path.is_file() else Failure(path_to_uri(path), "no such file") for path in paths]
