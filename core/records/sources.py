"""Where the pictures of a collection come from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.records.jobs import Failure

SourceKind = Literal["folder", "uploads"]
UPLOADS: SourceKind = "uploads"


@dataclass(frozen=True)
class CollectionSource:
    """A folder (or a single file) that was added to a collection, or its folder of uploaded files.

    `root` is its uri, `label` the name that its pictures are filtered by, `captions` the uri of its table of captions,
    `exclude` the patterns of what is passed over in it. `scanned_at` is when it was last read to its end.
    """

    root: str
    label: str
    kind: SourceKind = "folder"
    captions: str = ""
    exclude: tuple[str, ...] = ()
    added_at: datetime | None = None
    scanned_at: datetime | None = None


@dataclass(frozen=True)
class ScanPreview:
    """What a scan of a source would do: uris of files by what becomes of them, `moved` as pairs (old, new).

    `changed` files hold another picture now, `refreshed` ones only other metadata; `missing` are no longer there.
    `passed_over` counts files that are not read, by kind; `remarks` are lines about captions and unreachable places.
    """

    root: str
    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    refreshed: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    unchanged: int = 0
    passed_over: tuple[tuple[str, int], ...] = ()
    failures: tuple[Failure, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class RescanOptions:
    """How sources are read again: these `roots`, or all; every file (`checksum`), not only those that look changed.

    With `accept_empty` the files of a source are missing even if none of them is left.
    """

    roots: tuple[str, ...] = ()
    checksum: bool = False
    accept_empty: bool = False


@dataclass(frozen=True)
class SourceState:
    """A source, how many files of it a collection knows and misses, and whether it can be reached now."""

    source: CollectionSource
    files: int
    missing: int
    reachable: bool
