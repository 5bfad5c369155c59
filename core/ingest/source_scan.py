"""What a source holds now beside what a collection knows of it: files that are new, changed, unchanged or gone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from core.records.assets import Location
from core.store.objects.names import is_below

# The locations of a collection by uri: normally one picture at each; after an interrupted scan there may be two.
KnownFiles = Mapping[str, Mapping[str, Location]]


@dataclass(frozen=True)
class ScannedFile:
    """A file of a source: its size in bytes, when it was modified, and the fingerprint of what describes it."""

    path: Path
    size: int
    modified_ns: int
    sidecars: str = ""


@dataclass(frozen=True)
class ScanPlan:
    """The files of one source by uri, compared by size, time and the fingerprint of what describes them.

    `gone` are files that a collection knows and that are not there; `unreachable` are those of which nothing can be
    said, since their folders could not be read; `excluded` are there, but not wanted any more. `known` has the pictures
    at every uri of the source.
    """

    new: Mapping[str, ScannedFile]
    changed: Mapping[str, ScannedFile]
    unchanged: tuple[str, ...]
    gone: tuple[str, ...]
    unreachable: tuple[str, ...]
    known: KnownFiles = field(repr=False)
    excluded: tuple[str, ...] = ()

    @property
    def files(self) -> dict[str, ScannedFile]:
        """The files that have to be read, in the order in which they were found."""
        return {**self.new, **self.changed}

    @property
    def is_doubtful(self) -> bool:
        """Whether nothing that was known is there: perhaps a disk is not mounted."""
        lost = any(place.state == "present" for uri in self.gone for place in self.known[uri].values())
        return lost and not self.unchanged and not self.changed

    @cached_property
    def found(self) -> frozenset[str]:
        """The files that are as they were."""
        return frozenset(self.unchanged)

    @property
    def before(self) -> dict[str, tuple[str, ...]]:
        """The pictures that were at each uri that has to be read again."""
        return {uri: tuple(self.known[uri]) for uri in self.changed}


def known_below(root: str, locations: Mapping[str, Iterable[Location]]) -> dict[str, dict[str, Location]]:
    """What a collection knows at a root and below it, by uri; `locations` are those of every picture by its id."""
    known = dict[str, dict[str, Location]]()
    for asset_id, places in locations.items():
        for place in places:
            if is_below(place.uri, root):
                known.setdefault(place.uri, {})[asset_id] = place
    return known


def plan_scan(
    found: Mapping[str, ScannedFile], known: KnownFiles, unreadable: Iterable[str] = (), checksum: bool = False
) -> ScanPlan:
    """Compare the files that were `found` by uri with the `known` ones; `unreadable` are the uris of
    folders and files that could not be read.

    With `checksum` every known file is read again, whatever its size and time say.
    """
    new = {uri: file for uri, file in found.items() if uri not in known}
    changed = {u: file for u, file in found.items() if u in known and (checksum or not _as_known(file, known[u]))}
    closed = tuple(place.rstrip("/") for place in unreadable)
    lost = [uri for uri in known if uri not in found]
    unreachable = tuple(uri for uri in lost if any(uri == at or uri.startswith(f"{at}/") for at in closed))
    hidden = set(unreachable)
    return ScanPlan(
        new=new,
        changed=changed,
        unchanged=tuple(uri for uri in found if uri in known and uri not in changed),
        gone=tuple(uri for uri in lost if uri not in hidden),
        unreachable=unreachable,
        known=known,
    )


def _as_known(file: ScannedFile, pictures: Mapping[str, Location]) -> bool:
    present = [place for place in pictures.values() if place.state != "missing"]  # others were overwritten
    if len(present) != 1:
        return False
    recorded = (present[0].state, present[0].size, present[0].modified_ns, present[0].sidecars)
    return recorded == ("present", file.size, file.modified_ns, file.sidecars)
