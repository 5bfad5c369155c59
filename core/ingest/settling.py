"""What follows from a scan for what a collection knew before: pictures that were replaced, moved or lost their file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.ingest.source_scan import ScanPlan
from core.records.assets import Asset, Location, LocationState

# What becomes of a location: its new state, or None where it is given up.
_Changes = dict[str, dict[str, LocationState | None]]


@dataclass(frozen=True)
class Settlement:
    """What has to change once the files of a plan were read.

    `changes` are by the pictures' ids and uris. `successors` are the pictures that took the place of others: no file
    holds these any more. `moved` has the new uri by the old one; `missing` are the uris of files that are nowhere now.
    `doubtful` is whether nothing that was known was found: then nothing is missing, but perhaps a disk.
    """

    changes: Mapping[str, Mapping[str, LocationState | None]]
    successors: Mapping[str, str]
    moved: Mapping[str, str]
    missing: tuple[str, ...]
    doubtful: bool

    def apply(self, asset: Asset) -> Asset:
        """A picture at the places where it is now."""
        changes = self.changes[asset.id]
        places = ((place, changes.get(place.uri, place.state)) for place in asset.locations)
        return asset.at(tuple(replace(place, state=state) for place, state in places if state is not None))


def settle(
    plan: ScanPlan, read: Mapping[str, str], locations: Mapping[str, tuple[Location, ...]], accept_empty: bool = False
) -> Settlement:
    """Settle a plan whose files were read: `read` is the id of the picture at each uri that could be read.

    `locations` are those of all pictures now. A source of which no known file was found is doubtful: its disk may not
    be mounted, and nothing is marked missing, unless `accept_empty`.
    """
    moved = _moved(plan, read)
    lost = {uri for uri in plan.gone if any(place.state == "present" for place in plan.known[uri].values())}
    doubtful = bool(lost) and not (accept_empty or moved or plan.unchanged or plan.changed)
    changes = _Changes()
    for old_uri, new_uri in moved.items():
        changes.setdefault(read[new_uri], {})[old_uri] = None
    still = () if doubtful else [uri for uri in plan.gone if uri not in moved]
    missing = [uri for uri in still if _give_up(uri, plan, read, locations, changes)]
    successors = _replace(plan, read, locations, changes)
    return Settlement(changes, successors, moved, tuple(uri for uri in missing if uri in lost), doubtful)


def _give_up(
    uri: str,
    plan: ScanPlan,
    read: Mapping[str, str],
    locations: Mapping[str, tuple[Location, ...]],
    changes: _Changes,
) -> bool:
    """Give up the place of a file that is gone, where its picture was found elsewhere in the source; else mark it.

    Returns whether it is missing. The other place may be known since before: a scan that was killed got as far as that.
    """
    missing = False
    for asset_id in plan.known[uri]:
        elsewhere = any(_was_found(place, asset_id, plan, read) for place in locations.get(asset_id, ()))
        changes.setdefault(asset_id, {})[uri] = None if elsewhere else "missing"
        missing = missing or not elsewhere
    return missing


def _was_found(place: Location, asset_id: str, plan: ScanPlan, read: Mapping[str, str]) -> bool:
    if place.uri in plan.new or place.uri in plan.changed:
        return read.get(place.uri) == asset_id
    return place.uri in plan.found


def _moved(plan: ScanPlan, read: Mapping[str, str]) -> dict[str, str]:
    """The new uri of every file that is gone and was found, with the same bytes, where none was known before."""
    found = {read[uri]: uri for uri in plan.new if uri in read}
    gone = ((uri, asset_id) for uri in plan.gone for asset_id in plan.known[uri])
    return {uri: found[asset_id] for uri, asset_id in gone if asset_id in found}


def _replace(
    plan: ScanPlan, read: Mapping[str, str], locations: Mapping[str, tuple[Location, ...]], changes: _Changes
) -> dict[str, str]:
    """Take the places of changed files from the pictures they held; those that no other file holds have a successor."""
    successors = dict[str, str]()
    for uri in plan.changed:
        for old in plan.known[uri] if uri in read else ():
            if old != read[uri]:
                own = changes.setdefault(old, {})
                own[uri] = "replaced"
                states = [own.get(place.uri, place.state) for place in locations.get(old, ())]
                if "present" in states:
                    own[uri] = None
                else:
                    successors[old] = read[uri]
    return successors
