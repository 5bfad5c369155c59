"""Walks a folder file by file: which files are images, what lies beside them, what is passed over."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from core.embedding.formats import HEAD_BYTES, HEIF_SUFFIXES, JXL_SUFFIXES, SUFFIXES, format_of, missing_extra
from core.errors import ContactSheetError
from core.ingest.sources.excludes import NO_MEDIA, ExcludePatterns, holds_no_originals
from core.ingest.sources.passed_over import KINDS, PassedOver
from core.ingest.sources.sidecar_names import SUFFIXES as SIDECAR_SUFFIXES
from core.ingest.sources.sidecar_names import SidecarNames
from core.records.jobs import Failure
from core.store.objects.names import path_to_uri

# The format that the suffix promises, where that takes an extra.
_PROMISED = dict.fromkeys(HEIF_SUFFIXES, "HEIF") | dict.fromkeys(JXL_SUFFIXES, "JXL")


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as it was when the walk came by: size in bytes, time of its last change in nanoseconds since 1970.

    `sidecars` are the files beside it that may describe it (p.xmp, p.jpg.xmp, p.jpg.json and Google Takeout's names).
    """

    path: Path
    size: int
    modified_ns: int
    sidecars: tuple[FoundFile, ...] = ()


class FolderWalk:
    """The images below a folder, or a single file; iterate once, then read `passed_over` and `unreadable_folders`."""

    def __init__(self, root: Path, exclude: Sequence[str] = ()) -> None:
        """`exclude` is for ExcludePatterns. Raises ContactSheetError if it or `root` cannot be used."""
        self._patterns = ExcludePatterns(exclude)
        self._is_file = root.is_file()
        if not self._is_file and not root.is_dir():
            raise ContactSheetError(f"{root} is neither a folder nor a file: check the path")
        self.root = Path(os.path.realpath(root))
        self.unreadable_folders: list[Path] = []
        self._below = len(str(self.root).rstrip("/")) + 1
        self._visited: set[tuple[int, int]] = set()
        self._links: list[Path] = []
        self._linked_files: set[Path] = set()
        self._kinds, self._excluded_folders = Counter[str](), Counter[str]()
        self._excluded_files = self._hidden = self._other_files = 0

    @property
    def passed_over(self) -> PassedOver:
        """What was passed over so far."""
        counts = self._excluded_files, self._hidden, self._other_files
        return PassedOver(dict(self._kinds), dict(self._excluded_folders), *counts)

    def __iter__(self) -> Iterator[FoundFile | Failure]:
        """Files and failures by folder, in the order of names; what links lead to comes last."""
        if self._is_file:
            yield self._single_file()
            return
        yield from self._below_folder(self.root)
        for link in self._links:  # grows while it is read: what a link leads to may hold links
            yield from self._behind_link(link)

    def _single_file(self) -> FoundFile:
        status = self.root.stat()
        return FoundFile(self.root, status.st_size, status.st_mtime_ns, _sidecars(self.root, _names_beside(self.root)))

    def _below_folder(self, folder: Path) -> Iterator[FoundFile | Failure]:
        pending = [self._contents(folder)]
        while pending:  # no recursion: folders may be nested deeper than Python's stack
            item = next(pending[-1], None)
            if item is None:
                pending.pop()
            elif isinstance(item, Path):
                pending.append(self._contents(item))
            else:
                yield item

    def _contents(self, folder: Path) -> Iterator[FoundFile | Failure | Path]:
        """The images of one folder, and the folders in it that are to be entered."""
        try:
            if not self._is_new(folder.stat()):
                return
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            self.unreadable_folders.append(folder)
            yield Failure(path_to_uri(folder), "folder cannot be read", error.strerror or "")
            return
        if folder != self.root and any(entry.name == NO_MEDIA for entry in entries):
            self._excluded_folders[folder.name] += 1
            return
        sidecars = SidecarNames(entry.name for entry in entries)
        for entry in entries:
            try:
                item = self._visit(entry, folder.name, sidecars)
            except OSError as error:
                item = self._unreachable(Path(entry.path), error)
            if item is not None:
                yield item

    def _visit(self, entry: os.DirEntry[str], parent: str, sidecars: SidecarNames) -> FoundFile | Failure | Path | None:
        is_link = entry.is_symlink()
        folder = not is_link and entry.is_dir(follow_symlinks=False)
        if self._is_left_out(entry.path, entry.name, parent, folder):
            return None
        if is_link:
            self._links.append(Path(entry.path))
            return None
        return Path(entry.path) if folder else self._file(entry, sidecars)

    def _is_left_out(self, path: str, name: str, parent: str, folder: bool) -> bool:
        if name.startswith("."):
            self._hidden += folder or _suffix(name) in SUFFIXES
            return True
        if folder and holds_no_originals(name, parent):
            self._excluded_folders[name] += 1
            return True
        if self._patterns.match(path[self._below :], folder):
            if folder:
                self._excluded_folders[name] += 1
            else:
                self._excluded_files += 1
            return True
        return False

    def _file(self, entry: os.DirEntry[str], sidecars: SidecarNames) -> FoundFile | Failure | None:
        if not self._is_image(entry.path, entry.name):
            return None
        path = Path(entry.path)
        if not entry.is_file():
            return Failure(path_to_uri(path), "not a regular file")
        status = entry.stat()
        return FoundFile(path, status.st_size, status.st_mtime_ns, _sidecars(path, sidecars))

    def _is_image(self, path: str, name: str) -> bool:
        """Whether a file is to be read; counts it otherwise. Few are opened to find out."""
        suffix = _suffix(name)
        if suffix in SUFFIXES and not missing_extra(_PROMISED.get(suffix, "")):
            return True
        if suffix in SUFFIXES or not suffix:
            found = _format_of_file(path)
            if found and not missing_extra(found):
                return True
            kind = missing_extra(found) or missing_extra(_PROMISED.get(suffix, ""))
        else:
            kind = KINDS.get(suffix, "")
        if kind:
            self._kinds[kind] += 1
        elif suffix not in SIDECAR_SUFFIXES:
            self._other_files += 1
        return False

    def _behind_link(self, link: Path) -> Iterator[FoundFile | Failure]:
        target = Path(os.path.realpath(link))
        try:
            status = link.stat()
            if stat.S_ISDIR(status.st_mode):
                if not self._is_excluded(target):
                    yield from self._below_folder(link)
            elif self._leads_to_another_file(target) and self._is_image(str(link), link.name):
                if stat.S_ISREG(status.st_mode):
                    sidecars = _sidecars(link, _names_beside(link))
                    yield FoundFile(link, status.st_size, status.st_mtime_ns, sidecars)
                else:
                    yield Failure(path_to_uri(link), "not a regular file")
        except OSError as error:
            failure = self._unreachable(link, error)
            self.unreadable_folders.append(link)
            if failure is not None:
                yield failure

    def _leads_to_another_file(self, target: Path) -> bool:
        """Whether a link's target is neither in a folder that was visited nor behind an earlier link."""
        if target in self._linked_files or self._is_excluded(target):
            return False
        self._linked_files.add(target)
        status = target.parent.stat()
        return (status.st_dev, status.st_ino) not in self._visited or target.name.startswith(".")

    def _is_excluded(self, target: Path) -> bool:
        return target.is_relative_to(self.root) and self._patterns.match_any_part(
            target.relative_to(self.root).as_posix()
        )

    def _is_new(self, status: os.stat_result) -> bool:
        identity = status.st_dev, status.st_ino
        if identity in self._visited:
            return False
        self._visited.add(identity)
        return True

    def _unreachable(self, path: Path, error: OSError) -> Failure | None:
        if error.errno in (errno.ENOENT, errno.ELOOP) and path.is_symlink():
            return Failure(path_to_uri(path), "dangling link")
        if isinstance(error, FileNotFoundError):  # deleted a moment ago
            return Failure(path_to_uri(path), "no such file") if _suffix(path.name) in SUFFIXES else None
        return Failure(path_to_uri(path), "cannot be read", error.strerror or "")


def _suffix(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def _names_beside(file: Path) -> SidecarNames:
    return SidecarNames(path.name for path in file.parent.iterdir())


def _sidecars(file: Path, names: SidecarNames) -> tuple[FoundFile, ...]:
    found = []
    for name in names.of(file.name):
        with suppress(OSError):
            status = (path := file.with_name(name)).stat()
            found.append(FoundFile(path, status.st_size, status.st_mtime_ns))
    return tuple(found)


def _format_of_file(path: str) -> str:
    """What the first bytes of a file say; nothing of a pipe, which would keep its reader waiting, or without access."""
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            return format_of(os.read(file, HEAD_BYTES))
        finally:
            os.close(file)
    except OSError:
        return ""
