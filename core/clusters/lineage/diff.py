"""What is different between two partitions, of one collection version or of two."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NumberPair = tuple[int, int]
ABSENT = -2


class ClusterLike(Protocol):
    """What a difference tells of a cluster, be it one of a partition or one of a saved revision."""

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
class Flow:
    """Assets that go from one cluster to another, by the clusters' ids; None is unclustered."""

    before: str | None
    after: str | None
    asset_ids: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A cluster, and how many assets of another one went into it or came from it."""

    cluster: ClusterLike
    pictures: int


@dataclass(frozen=True)
class ClusterSplit:
    """A cluster, and the clusters that it is the main source of."""

    before: ClusterLike
    pieces: tuple[Part, ...]


@dataclass(frozen=True)
class ClusterMerge:
    """A cluster, and the clusters that mainly went into it."""

    after: ClusterLike
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class MovedPictures:
    """Assets that change place between clusters that go on, or are otherwise told of; None is unclustered."""

    before: ClusterLike | None
    after: ClusterLike | None
    pictures: int


@dataclass(frozen=True)
class Diff:
    """From one partition to another, in full.

    `continues` are pairs of clusters, before and after, that are each other's main source and destination; `flows` is
    every other change of place; `added` and `removed` are assets that only one side has. `apply_diff` needs no more.
    The rest tells the same in a curator's terms: each flow belongs to a split, to a merge, to a cluster that vanished
    (mostly unclustered now, or not in the collection) or appeared, or else to `moved`. `affected` are the clusters,
    before, with a confirmed name, whose members change. `clusters` counts them, before and after. Largest first.
    """

    continues: tuple[tuple[ClusterLike, ClusterLike], ...]
    flows: tuple[Flow, ...]
    added: tuple[Flow, ...]
    removed: tuple[Flow, ...]
    splits: tuple[ClusterSplit, ...]
    merges: tuple[ClusterMerge, ...]
    vanished: tuple[ClusterLike, ...]
    appeared: tuple[ClusterLike, ...]
    moved: tuple[MovedPictures, ...]
    affected: tuple[ClusterLike, ...]
    clusters: tuple[int, int]

    @property
    def renamed(self) -> tuple[tuple[ClusterLike, ClusterLike], ...]:
        """Clusters that go on under another confirmed name, or gain or lose one."""
        return self._changed(lambda cluster: cluster.confirmed and cluster.name)

    @property
    def described(self) -> tuple[tuple[ClusterLike, ClusterLike], ...]:
        """Clusters that go on with another description."""
        return self._changed(lambda cluster: cluster.description)

    @property
    def marked(self) -> tuple[tuple[ClusterLike, ClusterLike], ...]:
        """Clusters that go on and are marked as no group now, or no longer."""
        return self._changed(lambda cluster: cluster.no_group)

    @property
    def thresholds(self) -> tuple[tuple[float, float, int], ...]:
        """A threshold before and after, and how many clusters that go on changed so; the most frequent first."""
        changes = Counter((old.threshold, new.threshold) for old, new in self._changed(lambda c: c.threshold))
        return tuple((old, new, count) for (old, new), count in changes.most_common())

    def _changed(self, trait: Callable[[ClusterLike], object]) -> tuple[tuple[ClusterLike, ClusterLike], ...]:
        return tuple((old, new) for old, new in self.continues if trait(old) != trait(new))


def assignment(partition: PartitionLike) -> dict[str, str | None]:
    """The id of every asset's cluster; None is unclustered."""
    ids = [*(cluster.id for cluster in partition.clusters), None]  # label -1 takes the last one
    return {a: ids[label] for a, label in zip(partition.asset_ids, partition.labels.tolist(), strict=True)}


def apply_diff(before: PartitionLike, diff: Diff) -> dict[str, str | None]:
    """The assignment that `diff` leads to from `before`."""
    goes_on: dict[str | None, str] = {old.id: new.id for old, new in diff.continues}
    after = {asset_id: goes_on.get(cluster_id) for asset_id, cluster_id in assignment(before).items()}
    for flow in (*diff.flows, *diff.added):
        after.update(dict.fromkeys(flow.asset_ids, flow.after))
    for flow in diff.removed:
        for asset_id in flow.asset_ids:
            del after[asset_id]
    return after


def diff(before: PartitionLike, after: PartitionLike) -> Diff:
    """What changes from `before` to `after`; the order of their rows does not matter."""
    assets = _assets_by_pair(before, after)
    told = _Ledger(before.clusters, after.clusters, {p: len(ids) for p, ids in assets.items() if ABSENT not in p})
    return Diff(
        continues=tuple((told.before[old], told.after[new]) for old, new in told.pairs if told.goes_on((old, new))),
        flows=tuple(told.flow(pair, assets[pair]) for pair in told.changed),
        added=tuple(told.flow(pair, ids) for pair, ids in assets.items() if pair[0] == ABSENT),
        removed=tuple(told.flow(pair, ids) for pair, ids in assets.items() if pair[1] == ABSENT),
        splits=told.splits,
        merges=told.merges,
        vanished=tuple(told.before[old] for old in told.vanished),
        appeared=tuple(told.after[new] for new in told.appeared),
        moved=told.moved,
        affected=told.affected,
        clusters=(len(before.clusters), len(after.clusters)),
    )


class _Ledger:
    """How many assets pass from each cluster to each, by their numbers (-1: unclustered), and what that amounts to."""

    def __init__(
        self, before: Sequence[ClusterLike], after: Sequence[ClusterLike], count: Mapping[NumberPair, int]
    ) -> None:
        self.before, self.after, self._count = before, after, count
        self.pairs = sorted(count, key=self._rank)
        self._destination = dict(reversed(self.pairs))
        self._source = {new: old for old, new in reversed(self.pairs)}
        self.changed = [pair for pair in self.pairs if pair != (-1, -1) and not self.goes_on(pair)]
        self._pieces = self._grouped([pair for pair in self.pairs if self._is_piece(pair)], 0)
        self._parts = self._grouped([pair for pair in self.pairs if self._is_part(pair)], 1)

    def _rank(self, pair: NumberPair) -> tuple[object, ...]:
        """Largest first; of equal ones those that keep their id, then those between clusters."""
        old, new = pair
        clusters = old >= 0 and new >= 0
        return -self._count[pair], not (clusters and self.before[old].id == self.after[new].id), not clusters, old, new

    def goes_on(self, pair: NumberPair) -> bool:
        return self._is_piece(pair) and self._is_part(pair)

    def _is_piece(self, pair: NumberPair) -> bool:
        """Whether the old cluster is the new one's main source."""
        return min(pair) >= 0 and self._source[pair[1]] == pair[0]

    def _is_part(self, pair: NumberPair) -> bool:
        """Whether the new cluster is the old one's main destination."""
        return min(pair) >= 0 and self._destination[pair[0]] == pair[1]

    @staticmethod
    def _grouped(pairs: Sequence[NumberPair], side: int) -> dict[int, list[NumberPair]]:
        found: dict[int, list[NumberPair]] = {}
        for pair in pairs:
            found.setdefault(pair[side], []).append(pair)
        return found

    @property
    def splits(self) -> tuple[ClusterSplit, ...]:
        return tuple(
            ClusterSplit(self.before[old], tuple(Part(self.after[pair[1]], self._count[pair]) for pair in pairs))
            for old, pairs in self._pieces.items()
            if len(pairs) > 1 or not self.goes_on(pairs[0])
        )

    @property
    def merges(self) -> tuple[ClusterMerge, ...]:
        return tuple(
            ClusterMerge(self.after[new], tuple(Part(self.before[pair[0]], self._count[pair]) for pair in pairs))
            for new, pairs in self._parts.items()
            if len(pairs) > 1 or not self.goes_on(pairs[0])
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
        gone, come = set(self.vanished), set(self.appeared)
        told = {(old, -1) for old in gone} | {(-1, new) for new in come}
        return tuple(
            MovedPictures(*self._sides(pair), self._count[pair])
            for pair in self.changed
            if pair not in told and not self._is_piece(pair) and not self._is_part(pair)
        )

    @property
    def affected(self) -> tuple[ClusterLike, ...]:
        receiving = {new for _, new in self.changed}
        numbers = {old for old, _ in self.changed} | set(self.vanished)
        numbers |= {old for old, new in self.pairs if self.goes_on((old, new)) and new in receiving}
        named = (self.before[old] for old in sorted(numbers - {-1}))
        return tuple(cluster for cluster in named if cluster.confirmed and cluster.name)

    def flow(self, pair: NumberPair, asset_ids: Sequence[str]) -> Flow:
        old, new = self._sides(pair)
        return Flow(old.id if old else None, new.id if new else None, tuple(asset_ids))

    def _sides(self, pair: NumberPair) -> tuple[ClusterLike | None, ClusterLike | None]:
        old, new = pair
        return self.before[old] if old >= 0 else None, self.after[new] if new >= 0 else None


def _assets_by_pair(before: PartitionLike, after: PartitionLike) -> dict[NumberPair, list[str]]:
    """The assets of each pair of an old and a new label; ABSENT where one side does not have them."""
    old = dict(zip(before.asset_ids, before.labels.tolist(), strict=True))
    new = dict(zip(after.asset_ids, after.labels.tolist(), strict=True))
    found: dict[NumberPair, list[str]] = {}
    for asset_id in (*before.asset_ids, *(asset_id for asset_id in after.asset_ids if asset_id not in old)):
        pair = (old.get(asset_id, ABSENT), new.get(asset_id, ABSENT))
        found.setdefault(pair, []).append(asset_id)
    return found
