"""What follows from a scan for what a collection knew before: pictures that were replaced, moved or lost their file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from core.ingest.source_scan import ScanPlan
from core.records.assets import Asset, Location, LocationState
from core.records.descriptions import Description


@dataclass(frozen=True)
class Settlement:
    """What has to change once the files of a plan were read.

    `changes` are by the pictures' ids and uris: the new state of a location, None where it is given up. `successors`
    are the pictures that took the place of others: no file holds these any more. `moved` has the new uri by the old
    one, `missing` are the uris of files that are nowhere now, `excluded` the pictures that nobody wants any more.
    `described` are the new uris of moved files whose rows of captions name the old ones: they keep their words.
    """

    changes: Mapping[str, Mapping[str, LocationState | None]]
    successors: Mapping[str, str]
    moved: Mapping[str, str]
    missing: tuple[str, ...]
    excluded: tuple[str, ...]
    described: frozenset[str] = frozenset()

    def apply(self, asset: Asset) -> Asset:
        """A picture at the places where it is now."""
        changes, words = self.changes[asset.id], self._words_of_old_places(asset)
        found = (replace(place, words=words.get(place.uri, place.words)) for place in asset.locations)
        places = ((place, changes.get(place.uri, place.state)) for place in found)
        return asset.at(tuple(replace(place, state=state) for place, state in places if state is not None))

    def _words_of_old_places(self, asset: Asset) -> dict[str, Description]:
        """The words of moved files at their new places, filled with what was written of them at the old ones."""
        places = {place.uri: place for place in asset.locations}
        moved = {new: self._old_uris[new] for new in places if self._old_uris.get(new) in places}
        return {
            new: (places[new].words or asset.about).filled_from(places[old].words or asset.about)
            for new, old in moved.items()
        }

    @cached_property
    def _old_uris(self) -> dict[str, str]:
        """Where moved files were whose rows name the old places, by where they are."""
        return {new: old for old, new in self.moved.items() if new in self.described}


def settle(
    plan: ScanPlan,
    read: Mapping[str, str],
    locations: Mapping[str, tuple[Location, ...]],
    is_elsewhere: Callable[[Location], bool],
    lost_its_row: Callable[[str], bool] = lambda _: False,
) -> Settlement:
    """Settle a plan whose files were read: `read` is the id of the picture at each uri that could be read.

    `locations` are those of all pictures now; `is_elsewhere` tells of one in another source whether its file is there,
    `lost_its_row` of a moved file's new uri whether no row of its captions names it.
    """
    settled = _Settling(plan, read, locations, is_elsewhere).run()
    return replace(settled, described=frozenset(filter(lost_its_row, settled.moved.values())))


@dataclass
class _Settling:
    plan: ScanPlan
    read: Mapping[str, str]
    locations: Mapping[str, tuple[Location, ...]]
    is_elsewhere: Callable[[Location], bool]
    changes: dict[str, dict[str, LocationState | None]] = field(default_factory=dict)
    successors: dict[str, str] = field(default_factory=dict)
    overwritten: list[str] = field(default_factory=list)

    def run(self) -> Settlement:
        moved = self._moved()
        lost = {uri for uri in self.plan.gone if self._was_present(uri)}
        missing = [uri for uri in self.plan.gone if uri not in moved and self._is_missing(uri)]
        excluded = [i for uri in self.plan.excluded for i in self.plan.known[uri] if self._let_go(i, uri)]
        for uri in self.plan.changed:
            for old in self.plan.known[uri] if uri in self.read else ():
                self._replace(uri, old, self.read[uri])
        for old_uri, new_uri in moved.items():  # a scan that was killed may have left an older picture there
            for old in self.plan.known[old_uri]:
                self._replace(old_uri, old, self.read[new_uri])
        missing = [*(uri for uri in missing if uri in lost), *self.overwritten]
        return Settlement(self.changes, self.successors, moved, tuple(missing), tuple(dict.fromkeys(excluded)))

    def _moved(self) -> dict[str, str]:
        """The new uri of every file that is gone and was found, with the same bytes, where none was known before."""
        found = {self.read[uri]: uri for uri in self.plan.new if uri in self.read}
        gone = ((uri, asset_id) for uri in self.plan.gone for asset_id in self.plan.known[uri])
        moved = {uri: found[asset_id] for uri, asset_id in gone if asset_id in found}
        for old_uri, new_uri in moved.items():
            self._change(self.read[new_uri], old_uri, None)
        return moved

    def _is_missing(self, uri: str) -> bool:
        """Mark the place of a file that is gone, or give it up where its picture was found elsewhere.

        The other place may be known since before: a scan that was killed got as far as that.
        """
        missing = False
        for asset_id in self.plan.known[uri]:
            elsewhere = any(self._is_found(place, asset_id) for place in self.locations.get(asset_id, ()))
            self._change(asset_id, uri, None if elsewhere else "missing")
            missing = missing or not elsewhere
        return missing

    def _let_go(self, asset_id: str, uri: str) -> bool:
        """Give up the place of a file that is excluded now; whether its picture is at no other."""
        self._change(asset_id, uri, None)
        if "present" in self._states(asset_id):
            return False
        self._change(asset_id, uri, "replaced")
        return True

    def _replace(self, uri: str, old: str, new: str) -> None:
        """Take a place from the picture that it held; one that no other file holds has a successor, or is missing."""
        if old == new:
            return
        self._change(old, uri, None)
        if "present" in self._states(old):
            return
        successor = self._successor(uri, old, new)
        self._change(old, uri, "replaced" if successor else "missing")
        if successor:
            self.successors[old] = successor
        else:
            self.overwritten.append(uri)

    def _successor(self, uri: str, old: str, new: str) -> str | None:
        """What an edit made of a picture; None if another file was moved onto its place.

        An edit makes a picture that was known nowhere else. After a scan that was killed it may be known here already,
        and have moved on since.
        """
        if self._known_at.get(new, {uri}) == {uri}:
            return new
        here = (each for each in self.plan.known[uri] if each != old and "present" in self._states(each))
        return next(here, None)

    @cached_property
    def _known_at(self) -> dict[str, set[str]]:
        """Where each picture was known before the scan."""
        known = dict[str, set[str]]()
        for uri, pictures in self.plan.known.items():
            for asset_id in pictures:
                known.setdefault(asset_id, set()).add(uri)
        return known

    def _change(self, asset_id: str, uri: str, state: LocationState | None) -> None:
        self.changes.setdefault(asset_id, {})[uri] = state

    def _states(self, asset_id: str) -> list[LocationState | None]:
        own = self.changes.get(asset_id, {})
        return [own.get(place.uri, place.state) for place in self.locations.get(asset_id, ())]

    def _was_present(self, uri: str) -> bool:
        return any(place.state == "present" for place in self.plan.known[uri].values())

    def _is_found(self, place: Location, asset_id: str) -> bool:
        if place.uri in self.plan.new or place.uri in self.plan.changed:
            return self.read.get(place.uri) == asset_id
        if place.uri in self.plan.known:
            return place.uri in self.plan.found
        return place.state == "present" and self.is_elsewhere(place)
