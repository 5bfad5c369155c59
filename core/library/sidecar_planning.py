"""Which sidecar a picture's keywords go to, and what it holds with them. Nothing is written here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from core.embedding.formats import SUFFIXES as PICTURE_SUFFIXES
from core.embedding.hashes import file_id
from core.errors import SidecarError
from core.ingest.metadata.hierarchies import SEPARATOR
from core.ingest.metadata.sidecar_files import SUFFIX, sidecars_of
from core.ingest.metadata.xmp_editing import with_keywords
from core.ingest.sources.sidecar_names import SidecarNames
from core.library.sidecar_replacing import read_sidecar
from core.records.assets import Asset, Location
from core.records.sidecars import SidecarChange, SidecarOutcome
from core.store.objects.names import path_to_uri, uri_to_path
from core.text import folded

CLUSTERS = "Clusters"


@dataclass(frozen=True)
class PlannedSidecar:
    """A sidecar's path, what it holds and what it is to hold; both None if it is left out or stays as it is."""

    change: SidecarChange
    path: Path | None = None
    before: bytes | None = None
    after: bytes | None = None


class SidecarPlanner:
    """Plans for pictures; a folder is listed once for all of them that follow one another."""

    def __init__(self, roots: Sequence[Path] | None) -> None:
        """`roots` are the folders that may be written to, None for all."""
        self._roots = roots
        self._folder = lru_cache(maxsize=1)(_read_folder)

    def plan(self, asset: Asset, place: Location, cluster: str) -> PlannedSidecar:
        """What is to be written for a picture at one of its places; `cluster` is a name, empty for none."""
        nothing = SidecarChange(asset.id, place.uri, "left out")
        try:
            picture = _picture(asset, place, self._roots)
            path = _sidecar_of(picture, self._folder(picture.parent))
            before = read_sidecar(path)
            words = place.words or asset.about
            edited = with_keywords(before, *_keywords(words.keywords, words.hierarchies, cluster))
        except SidecarError as error:
            return PlannedSidecar(replace(nothing, reason=str(error)))
        uri = path_to_uri(path)
        if edited.content == before or (not edited.added and before is None):
            return PlannedSidecar(replace(nothing, outcome="unchanged", sidecar=uri))
        if not os.access(path.parent, os.W_OK):
            return PlannedSidecar(replace(nothing, sidecar=uri, reason="its folder is read-only"))
        outcome: SidecarOutcome = "created" if before is None else "updated"
        change = replace(nothing, outcome=outcome, sidecar=uri, added=edited.added)
        return PlannedSidecar(change, path, before, edited.content)


def _keywords(keywords: Sequence[str], hierarchies: Sequence[str], cluster: str) -> tuple[list[str], list[str]]:
    """The picture's own and the cluster's: a sidecar's list counts instead of the file's, so it has to be complete."""
    own = [path for path in hierarchies if not path.startswith(CLUSTERS + SEPARATOR)]
    if not cluster:
        return list(keywords), own
    return [*keywords, cluster], [*own, f"{CLUSTERS}{SEPARATOR}{cluster.replace(SEPARATOR, '/')}"]


def _picture(asset: Asset, place: Location, roots: Sequence[Path] | None) -> Path:
    """The path of a picture that is as it was scanned. Raises SidecarError."""
    if "://" in place.uri:
        raise SidecarError("the picture is on no disk")
    if place.state != "present":
        raise SidecarError("the picture is missing")
    path = uri_to_path(place.uri)
    try:
        if path.is_symlink():
            raise SidecarError("the picture is a link")
        if roots is not None and not any(path.resolve().is_relative_to(root) for root in roots):
            raise SidecarError("the picture is outside the folders of CONTACTSHEET_ROOTS")
        found = path.stat()
    except (OSError, ValueError) as error:
        raise SidecarError("the picture is not there") from error
    if (found.st_size, found.st_mtime_ns) != (place.size, place.modified_ns) and file_id(path) != asset.id:
        raise SidecarError("the picture was changed since the last scan: rescan first")
    return path


@dataclass(frozen=True)
class _Folder:
    """The sidecars in a folder, and how many pictures it has by their name without suffix."""

    sidecars: SidecarNames
    pictures: Counter[str]


def _read_folder(path: Path) -> _Folder:
    """Raises SidecarError."""
    try:
        names = [entry.name for entry in os.scandir(path)]
    except OSError as error:
        raise SidecarError("its folder cannot be read") from error
    pictures = (Path(name) for name in names if Path(name).suffix.lower() in PICTURE_SUFFIXES)
    return _Folder(SidecarNames(names), Counter(folded(picture.stem) for picture in pictures))


def _sidecar_of(picture: Path, folder: _Folder) -> Path:
    """The sidecar to update, or the new one: `p.jpg.xmp`, which belongs to p.jpg alone.

    An existing `p.xmp` is updated, unless another picture of that name lies beside: then it is that one's as well.
    """
    found = sidecars_of(picture, frozenset(folder.sidecars.of(picture.name)))
    own = [path for path in found if folded(path.name[: -len(SUFFIX)]) == folded(picture.name)]
    if own:
        return own[0]
    shared = folder.pictures[folded(picture.stem)] > 1
    return found[0] if found and not shared else picture.with_name(picture.name + SUFFIX)
