"""The assets of a clustering and the groups they are in, free of the order of rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import WITNESSES
from core.errors import ClusterError

Places = NDArray[np.int64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AssetIndex:
    """The assets of a collection version: built once, used by every cut of it.

    `asset_ids` (n,) are in the order of the linkage's rows. A *place* is an asset's number in the ascending order of
    ids: `sorted_ids` has the id and `row_at` (n,) int64 the row at each place. What is worked out by places cannot
    depend on the order of rows, and the smallest ids of a cluster are simply its first places.
    """

    asset_ids: tuple[str, ...]
    sorted_ids: tuple[str, ...]
    row_at: NDArray[np.int64]
    place_of: Mapping[str, int]
    _found: list[tuple[object, Places]] = field(default_factory=list, repr=False)

    @staticmethod
    def of(asset_ids: Sequence[str]) -> AssetIndex:
        """The roster of assets in row order. Raises ClusterError if one is listed twice."""
        rows = sorted(range(len(asset_ids)), key=asset_ids.__getitem__)
        sorted_ids = tuple(map(asset_ids.__getitem__, rows))
        place_of = dict(zip(sorted_ids, range(len(rows)), strict=True))
        if len(place_of) < len(rows):
            raise ClusterError(f"{len(rows) - len(place_of)} of {len(rows)} asset ids are listed twice: list each once")
        return AssetIndex(tuple(asset_ids), sorted_ids, np.array(rows, np.int64), place_of)

    def __len__(self) -> int:
        return len(self.asset_ids)

    def places(self, asset_ids: Iterable[str]) -> Places:
        """The places of those that are here, in the order given."""
        found = [place for place in map(self.place_of.get, asset_ids) if place is not None]
        return np.array(found, np.int64)

    def row_of(self, asset_id: str) -> int | None:
        """The row of an asset, None if it is not here."""
        place = self.place_of.get(asset_id)
        return None if place is None else int(self.row_at[place])

    def places_once(self, of: object, find: Callable[[], Places]) -> Places:
        """The places that `find` gives for an object; found again only once there was another object in between."""
        for known, places in self._found:
            if known is of:
                return places
        places = find()
        self._found[:] = [(of, places)]
        return places


def holder(labels: Labels, witnesses: Places) -> int | None:
    """The label that most witnesses have; of several, the one whose first place comes first; None without witnesses."""
    found, counts = np.unique(labels[witnesses], return_counts=True)
    if not len(found):
        return None
    most = found[counts == counts.max()]
    return int(most[0] if len(most) == 1 else labels[np.isin(labels, most).argmax()])


@dataclass(frozen=True, eq=False)
class Groups:
    """A partition of a roster into groups, numbered by their first places.

    `group_at` (n,) int64 is the group at each place; the members of group g are
    `order[start[g] : start[g] + size[g]]`, ascending.
    """

    roster: AssetIndex
    group_at: Labels
    order: Places
    start: NDArray[np.int64]
    size: NDArray[np.int64]

    @staticmethod
    def of(roster: AssetIndex, labels: Labels) -> Groups:
        """Groups of the places that have the same label, (n,) int64, whatever the labels are."""
        first = first_places(labels)
        heads = np.flatnonzero(first[labels] == np.arange(len(labels)))
        number = np.zeros(len(labels), np.int64)
        number[heads] = np.arange(len(heads))
        group_at = number[first[labels]]
        size = np.bincount(group_at, minlength=len(heads))
        return Groups(roster, group_at, by_label(group_at), np.cumsum(size) - size, size)

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def first(self) -> Places:
        """The first place of each group."""
        return self.order[self.start]

    def members(self, group: int) -> Places:
        """The places in a group, ascending."""
        return self.order[self.start[group] : self.start[group] + self.size[group]]

    def resolve(self, witnesses: Iterable[str]) -> int | None:
        """The group that holds most of the witnesses (ClusterRef), or None if all are gone."""
        return holder(self.group_at, self.roster.places(witnesses))

    def share(self, witnesses: tuple[str, ...], group: int) -> float:
        """How much of a group comes from the cluster that the witnesses (ascending) name, from 0 to 1.

        Exact for a cluster of fewer than 128 members; otherwise judged by the ids up to the last witness, of which the
        cluster is known in full.
        """
        held = np.count_nonzero(self.group_at[self.roster.places(witnesses)] == group)
        full = len(witnesses) == WITNESSES
        end = bisect_right(self.roster.sorted_ids, witnesses[-1]) if full else len(self.roster)
        return held / max(1, int(np.searchsorted(self.members(group), end)))


def by_label(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """The positions of equal labels side by side, each time ascending: what a stable argsort gives, (n,).

    Sorting numbers that hold label and position takes a tenth of the time.
    """
    count = len(labels)
    return np.sort(labels.astype(np.int64) * count + np.arange(count)) % max(count, 1)


def same_groups(
    labels: NDArray[np.integer], count: int, others: NDArray[np.integer], other_count: int
) -> NDArray[np.int64]:
    """For each of `count` groups the one that has exactly the same members by other labels, -1 if none has, (k,).

    Both labels are (n,), -1 for what is in no group.
    """
    rows = np.flatnonzero(labels >= 0)
    here, there = labels[rows], others[rows]
    found = np.full(count, -1)
    found[here] = there
    found[here[there != found[here]]] = -1
    sizes = np.append(np.bincount(others[others >= 0], minlength=other_count), -1)  # the last is for -1
    return np.where(sizes[found] == np.bincount(here, minlength=count), found, -1)


def first_places(labels: Labels) -> Places:
    """The first place that has each label 0..max; n where none has."""
    first = np.full(int(labels.max(initial=-1)) + 1, len(labels))
    np.minimum.at(first, labels, np.arange(len(labels)))
    return first


def estimated_containment(earlier: tuple[str, ...], later: tuple[str, ...]) -> float:
    """How much of one cluster is in another, from 0 to 1, by their witnesses; 0 where these cannot tell."""
    ends = [witnesses[-1] for witnesses in (earlier, later) if len(witnesses) == WITNESSES]
    known = [w for w in earlier if all(w <= end for end in ends)]
    return len(set(known) & set(later)) / len(known) if known else 0.0
