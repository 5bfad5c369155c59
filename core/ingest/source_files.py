"""The files of a source, and what lies beside them that describes them: sidecars, a table of captions, Takeout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path

from core.errors import SidecarError
from core.ingest.metadata.captions_table import Captions, CaptionsRow, CaptionsTable
from core.ingest.metadata.merging import merged
from core.ingest.metadata.sidecar_files import read_sidecar_file, sidecars_of
from core.ingest.metadata.takeout import read_takeout, takeout_of
from core.ingest.source_scan import ScannedFile
from core.ingest.sources.excludes import ExcludePatterns
from core.ingest.sources.folder import walk
from core.ingest.sources.folder_walk import FoundFile
from core.records.assets import Location
from core.records.descriptions import Description
from core.records.jobs import Failure
from core.store.objects.names import path_to_uri

# Part of every fingerprint: under another number the next scan reads the metadata of all files again.
READERS = 1
_Failed = list[tuple[Path, SidecarError]]


@dataclass(frozen=True)
class SourceRoot:
    """A folder, or a single file, that was added to a collection: its name to filter by, its captions and excludes."""

    path: Path
    label: str
    table: CaptionsTable | None = None
    exclude: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """What the paths in its captions are relative to."""
        return self.path.parent if self.path.is_file() else self.path

    def holds(self, path: Path) -> bool:
        """Whether a file lies in it."""
        return path == self.path or path.is_relative_to(self.path)

    @cached_property
    def patterns(self) -> ExcludePatterns:
        """What it excludes."""
        return ExcludePatterns(self.exclude)

    @cached_property
    def captions(self) -> Captions | None:
        """Its captions, matched with all of its files; None as well where it is not there."""
        if self.table is None or not self.path.exists():
            return None
        files = walk(self.path, self.exclude).files
        return self.table.match([file.path.relative_to(self.folder).as_posix() for file in files], self.folder)


def fingerprint(label: str, beside: Sequence[FoundFile] = (), row: CaptionsRow | None = None) -> str:
    """Changes with whatever describes a file: the name of its source, the files beside it, its row of the captions."""
    about = [(file.path.name, file.size, file.modified_ns) for file in beside]
    described = repr((label, about, row.about if row else None))
    return f"{READERS}:{blake2b(described.encode(), digest_size=8).hexdigest()}"


class SourceFiles:
    """Describes files: each by the innermost of the roots that it lies in."""

    def __init__(self, roots: Sequence[SourceRoot], files: Iterable[FoundFile]) -> None:
        self._roots = sorted(roots, key=lambda root: len(root.path.parts), reverse=True)
        self._files = {file.path: file for file in files}
        self.notes = list[Failure]()

    @cached_property
    def scanned(self) -> dict[str, ScannedFile]:
        """The files by uri, with the fingerprint of what describes them."""
        return {
            path_to_uri(path): ScannedFile(path, file.size, file.modified_ns, self._fingerprint(path))
            for path, file in self._files.items()
        }

    def describe(self, path: Path, embedded: Description) -> Location:
        """Where a file lies, and what it, its sidecars, its row of the captions and Takeout say of it."""
        uri, row, failed = path_to_uri(path), self._row(path), _Failed()
        table = row.about if row else Description()
        beside = self._beside(path)
        sidecars = [_read(read_sidecar_file, sidecar, failed) for sidecar in sidecars_of(path, beside)]
        takeout, of_picture = takeout_of(path, beside), partial(read_takeout, picture=path)
        words = merged(table, sidecars, embedded, _read(of_picture, takeout, failed) if takeout else Description())
        self.notes += [Failure(path_to_uri(at), "sidecar cannot be read", str(error)) for at, error in failed]
        file, closed = self.scanned[uri], any(isinstance(error.__cause__, OSError) for _, error in failed)
        sidecars_read = "" if closed else file.sidecars  # the next scan tries again
        return Location(uri, self._label(path, row), file.size, file.modified_ns, sidecars_read, words=words)

    def _label(self, path: Path, row: CaptionsRow | None) -> str:
        """The name that a file is filtered by."""
        root = self._root(path)
        return (row.source if row else "") or (root.label if root else "")

    def _fingerprint(self, path: Path) -> str:
        row = self._row(path)
        return fingerprint(self._label(path, row), self._files[path].sidecars, row)

    def _beside(self, path: Path) -> frozenset[str]:
        return frozenset(file.path.name for file in self._files[path].sidecars)

    def _root(self, path: Path) -> SourceRoot | None:
        return next((root for root in self._roots if root.holds(path)), None)

    def lacks_row(self, path: Path) -> bool:
        """Whether there are captions for where a file lies, but no row of theirs names it."""
        has_table = any(root.captions is not None for root in self._roots if root.holds(path))
        return has_table and self._row(path) is None

    def is_excluded(self, path: Path) -> bool:
        """Whether the innermost source that a file lies in excludes it."""
        root = self._root(path)
        if root is None or not path.is_relative_to(root.folder):
            return False
        return root.patterns.match_any_part(path.relative_to(root.folder).as_posix())

    def _row(self, path: Path) -> CaptionsRow | None:
        """What the innermost source says that has a row for a file."""
        tables = ((root, root.captions) for root in self._roots if root.holds(path))
        rows = (captions.find(path.relative_to(root.folder).as_posix()) for root, captions in tables if captions)
        return next((row for row in rows if row is not None), None)


def _read(read: Callable[[Path], Description], path: Path, failed: _Failed) -> Description:
    try:
        return read(path)
    except SidecarError as error:
        failed.append((path, error))
        return Description()
