"""Finds image files below a folder, whatever else is there."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.embedding.images import SUFFIXES
from core.errors import ContactSheetError
from core.ingest.sources.excludes import NO_MEDIA, Excludes
from core.records.jobs import Failure, Progress, ProgressListener, ignore
from core.store.objects.names import path_to_uri, uri_to_path

SIDECAR_SUFFIXES = (".xmp", ".json")
REPORT_EVERY = 1000  # files


@dataclass(frozen=True)
class FoundFile:
    """An image file as it lies on disk: its size in bytes, and when it was modified, in nanoseconds since 1970."""

    path: Path
    size: int
    modified_ns: int


@dataclass
class Walk:
    """What is in a folder and below it.

    `failures` are what could not be reached, `unreadable` the folders among them: what they hold is not known.
    `passed_over` counts the files and folders that are not read, by kind. `beside` has the names of the files in each
    folder that may describe pictures.
    """

    files: list[FoundFile] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    beside: dict[Path, frozenset[str]] = field(default_factory=dict)

    def look_beside(self, folder: Path) -> None:
        """Look for files that may describe pictures in a folder that is not walked."""
        if folder not in self.beside:
            try:
                self.beside[folder] = _beside(path.name for path in folder.iterdir())
            except OSError:
                self.beside[folder] = frozenset()


def image_files(root: Path) -> Iterator[Path | Failure]:
    """Every image file below `root` (or `root` itself), in a stable order, then what cannot be reached as Failures.

    As `walk` finds them. Raises ContactSheetError if `root` cannot be read.
    """
    found = walk(root)
    yield from (file.path for file in found.files)
    yield from found.failures


def walk(root: Path, exclude: Sequence[str] = (), listener: ProgressListener = ignore) -> Walk:
    """Find the image files below `root`, or `root` itself, in a stable order.

    Symbolic links are followed after everything else; a folder or file is visited once however many links lead to it.
    Hidden files and folders and files without an image's suffix are passed over; so is what other programs keep for
    themselves (see `Excludes`) and what `exclude` names. A dangling link is a Failure whatever its name, since its
    target may have been a folder. Raises ContactSheetError if `root` is neither a folder nor a file.
    """
    if not root.is_file() and not root.is_dir():
        raise ContactSheetError(f"{root} is neither a folder nor a file: check the path")
    walking = _Walking(root, Excludes(exclude), listener)
    walking.run()
    return walking.walk


class _Walking:
    """One walk. No recursion: folders may be nested deeper than Python's stack."""

    def __init__(self, root: Path, excludes: Excludes, listener: ProgressListener) -> None:
        self.walk, self._listener = Walk(), listener
        self._root, self._excludes = root, excludes
        self._visited: set[tuple[int, int]] = set()
        self._links: list[Path] = []

    def run(self) -> None:
        if self._root.is_file():
            self._file(self._root, self._root.stat())
            self.walk.look_beside(self._root.parent)
            return
        self._descend(self._root)
        while self._links:
            self._follow(self._links.pop(0))

    def _descend(self, top: Path) -> None:
        pending = [top]
        while pending:
            pending += reversed(self._folder(pending.pop()))

    def _follow(self, link: Path) -> None:
        try:
            status = link.stat()
        except OSError as error:
            self._unreachable(link, error)
            return
        if stat.S_ISDIR(status.st_mode):
            self._descend(link)
        else:
            self._file(link, status, is_link=True)

    def _folder(self, folder: Path) -> list[Path]:
        """Take the files of a folder; returns its subfolders."""
        try:
            status = folder.stat()
            if (identity := (status.st_dev, status.st_ino)) in self._visited:
                return []
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.walk.failures.append(Failure(path_to_uri(folder), "folder cannot be read", error.strerror or ""))
            self.walk.unreadable.append(folder)
            return []
        self._visited.add(identity)
        names = {entry.name for entry in found}
        if NO_MEDIA in names:
            self.walk.passed_over["excluded folder"] += 1
            return []
        if beside := _beside(names):
            self.walk.beside[folder] = beside
        return [path for entry in found if (path := self._entry(folder, entry)) is not None]

    def _entry(self, folder: Path, entry: os.DirEntry[str]) -> Path | None:
        """Take an entry of a folder; returns it if it is a folder to descend into."""
        path = folder / entry.name
        if entry.name.startswith("."):
            return None
        if entry.is_symlink():
            self._links.append(path)
        elif entry.is_dir(follow_symlinks=False):
            if not self._excludes.folder(self._relative(path)):
                return path
            self.walk.passed_over["excluded folder"] += 1
        else:
            try:
                self._file(path, entry.stat(follow_symlinks=False))
            except OSError as error:
                self._unreachable(path, error)
        return None

    def _file(self, path: Path, status: os.stat_result, is_link: bool = False) -> None:
        if path != self._root and path.suffix.lower() not in SUFFIXES:
            if kind := path.suffix.lstrip(".").upper():
                self.walk.passed_over[kind] += 1
            return
        if not stat.S_ISREG(status.st_mode):
            self.walk.failures.append(Failure(path_to_uri(path), "not a regular file"))
        elif self._excludes.file(self._relative(path)):
            self.walk.passed_over["excluded file"] += 1
        elif not is_link or (status.st_dev, status.st_ino) not in self._visited:
            self._visited.add((status.st_dev, status.st_ino))
            self.walk.files.append(FoundFile(path, status.st_size, status.st_mtime_ns))
            if len(self.walk.files) % REPORT_EVERY == 0:
                self._listener(Progress("scan", len(self.walk.files), 0))

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix() if path != self._root else path.name

    def _unreachable(self, path: Path, error: OSError) -> None:
        if error.errno in (errno.ENOENT, errno.ELOOP) and path.is_symlink():
            self.walk.failures.append(Failure(path_to_uri(path), "dangling link"))
        elif not isinstance(error, FileNotFoundError):
            self.walk.failures.append(Failure(path_to_uri(path), "cannot be read", error.strerror or ""))
            self.walk.unreadable.append(path)
        elif path.suffix.lower() in SUFFIXES:  # deleted a moment ago
            self.walk.failures.append(Failure(path_to_uri(path), "no such file"))


def _beside(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name for name in names if name.lower().endswith(SIDECAR_SUFFIXES))


def files_by_uri(uris: Sequence[str]) -> list[FoundFile | Failure]:
    """The files with these uris; those that no longer exist as failures."""
    found: list[FoundFile | Failure] = []
    for path in map(uri_to_path, uris):
        try:
            status = path.stat()
            found.append(FoundFile(path, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append(Failure(path_to_uri(path), "no such file"))
    return found
