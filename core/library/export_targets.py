"""Where exported pictures go: a ZIP file, or folders. Neither ever replaces a file."""

from __future__ import annotations

import os
import shutil
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from core.errors import ContactSheetError
from core.library.export_names import numbered
from core.records.exports import ExportOutcome
from core.store.disk_errors import wrap_write_errors

_COMPRESSED = (".tif", ".tiff", ".bmp", ".dib", ".csv")  # the others are compressed already
_FIRST_ZIP_YEAR, _LAST_ZIP_YEAR = 1980, 2107
_CHUNK_BYTES = 1024 * 1024


class ExportTarget(Protocol):
    """Takes files by their path in the export, `Harbour/p.jpg`, which is unique."""

    def put(self, path: str, content: BinaryIO, modified: float, original: Path | None) -> tuple[str, ExportOutcome]:
        """Write a file; where it went, and how. `original` is the file whose bytes these are, if it may be linked."""
        ...


class ZipTarget:
    """A ZIP file that is written from start to end; of any size."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def put(self, path: str, content: BinaryIO, modified: float, original: Path | None) -> tuple[str, ExportOutcome]:  # noqa: ARG002
        year, *rest = time.localtime(modified)[:6]
        dated = year if _FIRST_ZIP_YEAR <= year <= _LAST_ZIP_YEAR else _FIRST_ZIP_YEAR
        month, day, hour, minute, second = rest
        info = zipfile.ZipInfo(path, (dated, month, day, hour, minute, second))
        compressed = path.lower().endswith(_COMPRESSED)
        info.compress_type = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
        info.external_attr = 0o644 << 16
        with self._archive.open(info, "w", force_zip64=True) as entry:
            shutil.copyfileobj(content, entry, _CHUNK_BYTES)
        return path, "exported"


@contextmanager
def new_zip(target: Path) -> Iterator[ZipTarget]:
    """A ZIP file at `target`, whole or not at all. Raises ContactSheetError if a file is there, StoreError."""
    draft = target.with_name(f".{target.name[:180]}.{uuid.uuid4().hex[:8]}.draft")
    try:
        with wrap_write_errors(target.parent):
            _require_free(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(draft, "x", allowZip64=True) as archive:
                yield ZipTarget(archive)
            with draft.open("rb+") as file:
                os.fsync(file.fileno())
            _require_free(target)
            draft.rename(target)
    finally:
        draft.unlink(missing_ok=True)


def _require_free(target: Path) -> None:
    if target.exists():
        raise ContactSheetError(f"{target} is there already: choose another name, or delete it")


class FolderTarget:
    """Folders below `root`, with copies, or hard links of originals. Files that are there stay."""

    def __init__(self, root: Path, link: bool) -> None:
        self._root, self._link = root, link

    def put(self, path: str, content: BinaryIO, modified: float, original: Path | None) -> tuple[str, ExportOutcome]:
        folder, _, name = path.rpartition("/")
        with wrap_write_errors(self._root):
            (self._root / folder).mkdir(parents=True, exist_ok=True)
            for candidate in numbered(name):
                relative = f"{folder}/{candidate}" if folder else candidate
                outcome = self._place(self._root / relative, content, modified, original)
                if outcome is not None:
                    return relative, outcome
        raise AssertionError  # numbers do not end

    def _place(self, path: Path, content: BinaryIO, modified: float, original: Path | None) -> ExportOutcome | None:
        """Write a file; None if another has this name."""
        if os.path.lexists(path):
            return "already there" if _holds(path, content) else None
        if self._link and original is not None and _linked(original, path, content):
            return "linked"
        return "exported" if _copied(content, path, modified) else None


def _holds(path: Path, content: BinaryIO) -> bool:
    if not path.is_file():
        return False
    content.seek(0)
    with path.open("rb") as file:
        while (piece := file.read(_CHUNK_BYTES)) == content.read(_CHUNK_BYTES):
            if not piece:
                content.seek(0)
                return True
    content.seek(0)
    return False


def _linked(original: Path, path: Path, content: BinaryIO) -> bool:
    """Link the very file that is open as `content`; False where that is not possible, as on another disk."""
    try:
        os.link(original.resolve(), path)
    except OSError:
        return False
    if os.path.samestat(path.stat(), os.fstat(content.fileno())):
        return True
    path.unlink()
    return False


def _copied(content: BinaryIO, path: Path, modified: float) -> bool:
    """Write a file whole, with the time of the original; False if another has appeared under this name."""
    draft = path.with_name(f".{path.name[:180]}.{uuid.uuid4().hex[:8]}.draft")
    try:
        content.seek(0)
        with draft.open("xb") as file:
            shutil.copyfileobj(content, file, _CHUNK_BYTES)
        os.utime(draft, (modified, modified))
        return _renamed(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _renamed(draft: Path, path: Path) -> bool:
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError:  # a disk without hard links
        if os.path.lexists(path):
            return False
        draft.rename(path)
    return True
