"""Finding image files below a folder, whatever else lies there."""

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
    """Every image file below `root` (or `root` itself), in a stable order; what cannot be followed as a Failure.

    Symbolic links are followed, a folder is entered once however many links lead to it. Hidden files and folders
    and files without an image's suffix are passed over; a link that leads nowhere is a Failure whatever its name,
    since a folder may be missing behind it. Raises ContactSheetError if `root` cannot be read.
    """
    if root.is_file():
        yield root
        return
    if not root.is_dir():
        raise ContactSheetError(f"{root} is neither a folder nor a file: check the path")
    entered: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:  # a list of its own: folders may lie deeper than Python can call
        found = _look(waiting.pop(), entered)
        if isinstance(found, list):
            waiting += reversed(found)
        elif found is not None:
            yield found


def _look(path: Path, entered: set[tuple[int, int]]) -> Path | Failure | list[Path] | None:
    """A folder's entries; else the file if it is an image by its name, the fault, or None for what is passed over."""
    try:
        status = path.stat()
    except OSError as error:
        return _unreachable(path, error)
    if stat.S_ISDIR(status.st_mode):
        return _entries(path, (status.st_dev, status.st_ino), entered)
    if path.suffix.lower() not in SUFFIXES:
        return None
    return path if stat.S_ISREG(status.st_mode) else Failure(path_to_uri(path), "not a regular file")


def _entries(folder: Path, identity: tuple[int, int], entered: set[tuple[int, int]]) -> list[Path] | Failure:
    if identity in entered:
        return []
    entered.add(identity)
    try:
        names = sorted(entry.name for entry in os.scandir(folder))
    except OSError as error:
        return Failure(path_to_uri(folder), "folder cannot be read", error.strerror or "")
    return [folder / name for name in names if not name.startswith(".") and name != "__MACOSX"]


def _unreachable(path: Path, error: OSError) -> Failure | None:
    if error.errno in (errno.ENOENT, errno.ELOOP) and path.is_symlink():
        return Failure(path_to_uri(path), "dangling link")
    if isinstance(error, FileNotFoundError):  # it was there a moment ago
        return Failure(path_to_uri(path), "no such file") if path.suffix.lower() in SUFFIXES else None
    return Failure(path_to_uri(path), "cannot be read", error.strerror or "")


def files_by_uri(uris: Sequence[str]) -> list[Path | Failure]:
    """The files of a job that names them one by one; those that are gone as failures."""
    paths = [uri_to_path(uri) for uri in uris]
    return [path if path.is_file() else Failure(path_to_uri(path), "no such file") for path in paths]
