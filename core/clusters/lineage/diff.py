"""The difference between two partitions, of one collection version or of two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

LabelPair = tuple[int, int]
ABSENT = -2


class ClusterLike(Protocol):
    """What a diff needs to know of a cluster, whether of a partition or of a saved revision."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def confirmed(self) -> bool: ...
    @property
    def description(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def threshold(self) -> float: ...
    @property
    def no_group(self) -> bool: ...


class PartitionLike(Protocol):
    """Assets, their labels (n,), and the clusters that the labels number; -1 is unclustered."""

    @property
    def asset_ids(self) -> Sequence[str]: ...
    @property
    def labels(self) -> NDArray[np.int32]: ...
    @property
    def clusters(self) -> Sequence[ClusterLike]: ...


@dataclass(frozen=True)
class AssetMove:
    """Assets that move from one cluster to another, by the clusters' ids; None is unclustered."""

    before: str | None
    after: str | None
    asset_ids: tuple[str, ...]


@dataclass(frozen=True)
class ClusterOverlap:
    """A cluster, and how many pictures it shares with the cluster that was split or merged."""

    cluster: ClusterLike
    count: int


@dataclass(frozen=True)
class ClusterSplit:
    """A cluster, and the clusters that it is the main source of."""

    before: ClusterLike
    pieces: tuple[ClusterOverlap, ...]


@dataclass(frozen=True)
class ClusterMerge:
    """A cluster, and the clusters whose main destination it is."""

    after: ClusterLike
    parts: tuple[ClusterOverlap, ...]


@dataclass(frozen=True)
class MovedPictures:
    """How many pictures move from one cluster to another, other than by a split or a merge; None is unclustered."""

    before: ClusterLike | None
    after: ClusterLike | None
    count: int


@dataclass(frozen=True)
class Diff:
    """The complete difference from one partition to another.

    `continued` are pairs of clusters, before and after, that are each other's main source and destination; `flows` are
    all other moves; `added` and `removed` are assets that only one side has. These are all that `apply_diff` needs.

    The rest describes the same in a curator's terms: each flow belongs to a split, to a merge, to a cluster that
    vanished (mostly unclustered now, or not in the collection) or appeared, or else to `moved`. `affected` are the
    clusters, before, with a confirmed name, whose members change. `cluster_counts` are before and after. Largest first.
    """

    continued: tuple[tuple[ClusterLike, ClusterLike], ...]
    flows: tuple[AssetMove, ...]
    added: tuple[AssetMove, ...]
    removed: tuple[AssetMove, ...]
    splits: tuple[ClusterSplit, ...]
    merges: tuple[ClusterMerge, ...]
    vanished: tuple[ClusterLike, ...]
    appeared: tuple[ClusterLike, ...]
    moved: tuple[MovedPictures, ...]
    affected: tuple[ClusterLike, ...]
    cluster_counts: tuple[int, int]

    @property
    def renamed(self) -> tuple[tuple[ClusterLike, ClusterLike], ...]:
        """Continued clusters whose confirmed name changed, was added or was removed."""
        return self._changed(lambda cluster: cluster.confirmed and cluster.name)

    @property
    def described(self) -> tuple[tuple[ClusterLike, ClusterLike], ...]:
        """Continued clusters whose description changed."""
        return self._changed(lambda cluster: cluster.description)

    @property
    def marked(self) -> tuple[tuple[ClusterLike, ClusterLike], ...]:
        """Continued clusters that were marked as no group, or unmarked."""
        return self._changed(lambda cluster: cluster.no_group)

    @property
    def thresholds(self) -> tuple[tuple[float, float, int], ...]:
        """A threshold before and after, and how many continued clusters changed so; the most frequent first."""
        changes = Counter((old.threshold, new.threshold) for old, new in self._changed(lambda c: c.threshold))
        return tuple((old, new, count) for (old, new), count in changes.most_common())

    def _changed(self, value_of: Callable[[ClusterLike], object]) -> tuple[tuple[ClusterLike, ClusterLike], ...]:
        return tuple((old, new) for old, new in self.continued if value_of(old) != value_of(new))


def assignment(partition: PartitionLike) -> dict[str, str | None]:
    """The id of every asset's cluster; None is unclustered."""
    ids = [*(cluster.id for cluster in partition.clusters), None]  # label -1 takes the last one
    return {a: ids[label] for a, label in zip(partition.asset_ids, partition.labels.tolist(), strict=True)}


def apply_diff(before: PartitionLike, diff: Diff) -> dict[str, str | None]:
    """The assignment that `diff` leads to from `before`."""
    new_ids: dict[str | None, str] = {old.id: new.id for old, new in diff.continued}
    after = {asset_id: new_ids.get(cluster_id) for asset_id, cluster_id in assignment(before).items()}
    for flow in (*diff.flows, *diff.added):
        after.update(dict.fromkeys(flow.asset_ids, flow.after))
    for flow in diff.removed:
        for asset_id in flow.asset_ids:
            del after[asset_id]
    return after


def diff(before: PartitionLike, after: PartitionLike) -> Diff:
    """What changes from `before` to `after`; the order of their rows does not matter."""
    assets = _assets_by_pair(before, after)
    counts = {pair: len(ids) for pair, ids in assets.items() if ABSENT not in pair}
    table = _ContingencyTable(before.clusters, after.clusters, counts)
    return Diff(
        continued=tuple((table.before[old], table.after[new]) for old, new in table.continued),
        flows=tuple(table.flow(pair, assets[pair]) for pair in table.changed),
        added=tuple(table.flow(pair, ids) for pair, ids in assets.items() if pair[0] == ABSENT),
        removed=tuple(table.flow(pair, ids) for pair, ids in assets.items() if pair[1] == ABSENT),
        splits=table.splits,
        merges=table.merges,
        vanished=tuple(table.before[old] for old in table.vanished),
        appeared=tuple(table.after[new] for new in table.appeared),
        moved=table.moved,
        affected=table.affected,
        cluster_counts=(len(before.clusters), len(after.clusters)),
    )


class _ContingencyTable:
    """How many assets each pair of an old and a new cluster shares, by their labels (-1: unclustered)."""

    def __init__(
        self, before: Sequence[ClusterLike], after: Sequence[ClusterLike], counts: Mapping[LabelPair, int]
    ) -> None:
        self.before, self.after, self._counts = before, after, counts
        self.pairs = sorted(counts, key=self._rank)
        self._destination = dict(reversed(self.pairs))
        self._source = {new: old for old, new in reversed(self.pairs)}
        self.continued = [pair for pair in self.pairs if self._is_piece(pair) and self._is_part(pair)]
        unchanged = {(-1, -1), *self.continued}
        self.changed = [pair for pair in self.pairs if pair not in unchanged]
        self._pieces = self._grouped([pair for pair in self.pairs if self._is_piece(pair)], 0)
        self._parts = self._grouped([pair for pair in self.pairs if self._is_part(pair)], 1)

    def _rank(self, pair: LabelPair) -> tuple[object, ...]:
        """Largest first; on a tie, pairs that keep their id, then pairs without an unclustered side."""
        old, new = pair
        clusters = old >= 0 and new >= 0
        keeps_id = clusters and self.before[old].id == self.after[new].id
        return -self._counts[pair], not keeps_id, not clusters, old, new

    def _is_piece(self, pair: LabelPair) -> bool:
        """Whether the old cluster is the new one's main source."""
        return min(pair) >= 0 and self._source[pair[1]] == pair[0]

    def _is_part(self, pair: LabelPair) -> bool:
        """Whether the new cluster is the old one's main destination."""
        return min(pair) >= 0 and self._destination[pair[0]] == pair[1]

    @staticmethod
    def _grouped(pairs: Sequence[LabelPair], side: int) -> dict[int, list[LabelPair]]:
        grouped: dict[int, list[LabelPair]] = {}
        for pair in pairs:
            grouped.setdefault(pair[side], []).append(pair)
        return grouped

    @property
    def splits(self) -> tuple[ClusterSplit, ...]:
        return tuple(
            ClusterSplit(
                self.before[old], tuple(ClusterOverlap(self.after[pair[1]], self._counts[pair]) for pair in pairs)
            )
            for old, pairs in self._pieces.items()
            if len(pairs) > 1 or not self._is_part(pairs[0])
        )

    @property
    def merges(self) -> tuple[ClusterMerge, ...]:
        return tuple(
            ClusterMerge(
                self.after[new], tuple(ClusterOverlap(self.before[pair[0]], self._counts[pair]) for pair in pairs)
            )
            for new, pairs in self._parts.items()
            if len(pairs) > 1 or not self._is_piece(pairs[0])
        )

    @cached_property
    def vanished(self) -> tuple[int, ...]:
        olds = (old for old in range(len(self.before)) if old not in self._pieces)
        return tuple(old for old in olds if self._destination.get(old, -1) == -1)

    @cached_property
    def appeared(self) -> tuple[int, ...]:
        news = (new for new in range(len(self.after)) if new not in self._parts)
        return tuple(new for new in news if self._source.get(new, -1) == -1)

    @property
    def moved(self) -> tuple[MovedPictures, ...]:
        covered = {(old, -1) for old in self.vanished} | {(-1, new) for new in self.appeared}
        return tuple(
            MovedPictures(*self._sides(pair), self._counts[pair])
            for pair in self.changed
            if pair not in covered and not self._is_piece(pair) and not self._is_part(pair)
        )

    @property
    def affected(self) -> tuple[ClusterLike, ...]:
        receiving = {new for _, new in self.changed}
        labels = {old for old, _ in self.changed} | set(self.vanished)
        labels |= {old for old, new in self.continued if new in receiving}
        clusters = (self.before[old] for old in sorted(labels - {-1}))
        return tuple(cluster for cluster in clusters if cluster.confirmed and cluster.name)

    def flow(self, pair: LabelPair, asset_ids: Sequence[str]) -> AssetMove:
        old, new = self._sides(pair)
        return AssetMove(old.id if old else None, new.id if new else None, tuple(asset_ids))

    def _sides(self, pair: LabelPair) -> tuple[ClusterLike | None, ClusterLike | None]:
        old, new = pair
        return self.before[old] if old >= 0 else None, self.after[new] if new >= 0 else None


def _assets_by_pair(before: PartitionLike, after: PartitionLike) -> dict[LabelPair, list[str]]:
    """The assets of each pair of an old and a new label; ABSENT where one side does not have them."""
    old = dict(zip(before.asset_ids, before.labels.tolist(), strict=True))
    new = dict(zip(after.asset_ids, after.labels.tolist(), strict=True))
    assets: dict[LabelPair, list[str]] = {}
    for asset_id in (*before.asset_ids, *(asset_id for asset_id in after.asset_ids if asset_id not in old)):
        pair = (old.get(asset_id, ABSENT), new.get(asset_id, ABSENT))
        assets.setdefault(pair, []).append(asset_id)
    return assets
