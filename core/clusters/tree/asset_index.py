"""An index of a clustering's assets and the groups they form, independent of row order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import SAMPLE_SIZE
from core.errors import ClusterError

Positions = NDArray[np.int64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AssetIndex:
    """The assets of a collection version: built once, shared by all its cuts.

    `asset_ids` (n,) are in the order of the linkage's rows. An asset's *position* is its rank among the sorted ids:
    `sorted_ids` has the id and `row_at` (n,) int64 the row at each position. Whatever is computed by position does not
    depend on the row order, and a cluster's smallest ids are simply its first positions.
    """

    asset_ids: tuple[str, ...]
    sorted_ids: tuple[str, ...]
    row_at: NDArray[np.int64]
    position_of: Mapping[str, int]
    _last_positions: list[tuple[object, Positions]] = field(default_factory=list, repr=False)

    @staticmethod
    def from_ids(asset_ids: Sequence[str]) -> AssetIndex:
        """Index assets given in row order. Raises ClusterError for duplicates."""
        rows = sorted(range(len(asset_ids)), key=asset_ids.__getitem__)
        sorted_ids = tuple(map(asset_ids.__getitem__, rows))
        position_of = dict(zip(sorted_ids, range(len(rows)), strict=True))
        if duplicates := len(rows) - len(position_of):
            raise ClusterError(f"{duplicates} of {len(rows)} asset ids are listed twice: list each once")
        return AssetIndex(tuple(asset_ids), sorted_ids, np.array(rows, np.int64), position_of)

    def __len__(self) -> int:
        return len(self.asset_ids)

    def positions(self, asset_ids: Iterable[str]) -> Positions:
        """The positions of the given assets, in the given order; unknown ids are skipped."""
        known = [position for position in map(self.position_of.get, asset_ids) if position is not None]
        return np.array(known, np.int64)

    def row_of(self, asset_id: str) -> int | None:
        """The row of an asset, None if it is not in the index."""
        position = self.position_of.get(asset_id)
        return None if position is None else int(self.row_at[position])

    def cached_positions(self, key: object, compute: Callable[[], Positions]) -> Positions:
        """The result of `compute` for the object `key` (compared by identity); only the last key is cached."""
        for cached_key, positions in self._last_positions:
            if cached_key is key:
                return positions
        positions = compute()
        self._last_positions[:] = [(key, positions)]
        return positions


def majority_label(labels: Labels, positions: Positions) -> int | None:
    """The most frequent label at `positions`, on a tie the one that comes first in `labels`; None without positions."""
    found, counts = np.unique(labels[positions], return_counts=True)
    if not len(found):
        return None
    tied = found[counts == counts.max()]
    return int(tied[0] if len(tied) == 1 else labels[np.isin(labels, tied).argmax()])


@dataclass(frozen=True, eq=False)
class Groups:
    """A partition of an index's assets into groups, numbered by their first positions.

    `group_at` (n,) int64 is the group at each position; the members of group g are
    `order[start[g] : start[g] + size[g]]`, ascending.
    """

    index: AssetIndex
    group_at: Labels
    order: Positions
    start: NDArray[np.int64]
    size: NDArray[np.int64]

    @staticmethod
    def from_labels(index: AssetIndex, labels: Labels) -> Groups:
        """Group the positions with equal labels, (n,) int64 ≥ 0, in any numbering."""
        first = first_positions(labels)
        heads = np.flatnonzero(first[labels] == np.arange(len(labels)))
        number = np.zeros(len(labels), np.int64)
        number[heads] = np.arange(len(heads))
        group_at = number[first[labels]]
        size = np.bincount(group_at, minlength=len(heads))
        return Groups(index, group_at, stable_argsort(group_at), np.cumsum(size) - size, size)

    def __len__(self) -> int:
        return len(self.size)

    @cached_property
    def first(self) -> Positions:
        """The first position of each group, (k,)."""
        return self.order[self.start]

    def members(self, group: int) -> Positions:
        """The positions in a group, ascending."""
        return self.order[self.start[group] : self.start[group] + self.size[group]]

    def resolve(self, sample_ids: Iterable[str]) -> int | None:
        """The group that holds most of a ClusterRef's sample, None if none of it is left."""
        return majority_label(self.group_at, self.index.positions(sample_ids))

    def fraction_from(self, sample_ids: tuple[str, ...], group: int) -> float:
        """The fraction (0 to 1) of a group that comes from the cluster with this sample (ascending ids).

        Exact for clusters of fewer than 128 members; otherwise estimated from the ids up to the last sampled one, among
        which the cluster's members are all known.
        """
        shared = np.count_nonzero(self.group_at[self.index.positions(sample_ids)] == group)
        truncated = len(sample_ids) == SAMPLE_SIZE
        end = bisect_right(self.index.sorted_ids, sample_ids[-1]) if truncated else len(self.index)
        return shared / max(1, int(np.searchsorted(self.members(group), end)))


def stable_argsort(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """`np.argsort(labels, kind="stable")`, (n,), for labels ≥ -1.

    Sorting integers that combine label and position takes a tenth of the time.
    """
    count = len(labels)
    return np.sort(labels.astype(np.int64) * count + np.arange(count)) % max(count, 1)


def identical_groups(
    labels: NDArray[np.integer], count: int, others: NDArray[np.integer], other_count: int
) -> NDArray[np.int64]:
    """For each of `count` groups, the group with exactly the same members in another labelling, -1 if none, (k,).

    Both labellings are (n,), with -1 for rows that are in no group.
    """
    rows = np.flatnonzero(labels >= 0)
    here, there = labels[rows], others[rows]
    found = np.full(count, -1)
    found[here] = there
    found[here[there != found[here]]] = -1
    sizes = np.append(np.bincount(others[others >= 0], minlength=other_count), -1)  # the last entry is for -1
    return np.where(sizes[found] == np.bincount(here, minlength=count), found, -1)


def first_positions(labels: Labels) -> Positions:
    """The first position of each label 0..max, n for labels that do not occur."""
    first = np.full(int(labels.max(initial=-1)) + 1, len(labels))
    np.minimum.at(first, labels, np.arange(len(labels)))
    return first


def estimated_containment(earlier: tuple[str, ...], later: tuple[str, ...]) -> float:
    """The fraction (0 to 1) of one cluster that is in another, estimated from their samples; 0 if they cannot tell."""
    ends = [sample_ids[-1] for sample_ids in (earlier, later) if len(sample_ids) == SAMPLE_SIZE]
    known = [asset_id for asset_id in earlier if all(asset_id <= end for end in ends)]
    return len(set(known) & set(later)) / len(known) if known else 0.0
