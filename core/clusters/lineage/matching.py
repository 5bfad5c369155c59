"""Matching the clusters of a new partition to earlier ones, and resolving which annotations they keep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import Describe, MarkNoGroup, Rename
from core.clusters.tree.asset_index import Groups, Positions, estimated_containment


@dataclass(frozen=True)
class KnownCluster:
    """A cluster of an earlier partition, as stored with its revision.

    `sample_ids` are the (at most) 128 smallest ids of its members, ascending (see ClusterRef), `size` is how many
    members it had. `confirmed` distinguishes a curator's name from a suggested one.
    """

    id: str
    name: str
    confirmed: bool
    description: str
    no_group: bool
    sample_ids: tuple[str, ...]
    size: int

    @property
    def curated(self) -> bool:
        """Whether a curator has named, described or marked it."""
        return bool((self.confirmed and self.name) or self.description or self.no_group)


@dataclass(frozen=True, eq=False)
class ClusterMatch:
    """Which group continues which parent, both by their numbers; -1 is none.

    `parent_of` (k,) is the parent whose identity each group takes, `successor_of` (p,) the group that takes each
    parent's identity, and `origin_of` (k,), for groups that take none, the parent that more than half of the group
    comes from. `unchanged` (k,) tells which groups have, judging by size and sample, the same members as their parent.
    """

    parent_of: NDArray[np.int64]
    successor_of: NDArray[np.int64]
    origin_of: NDArray[np.int64]
    unchanged: NDArray[np.bool_]


def match_clusters(groups: Groups, parents: Sequence[KnownCluster]) -> ClusterMatch:
    """Decide which group takes the identity of each parent.

    A parent offers its identity to the one group that shares most members with it (on a tie, the one with the smallest
    asset id); a group accepts, of those offered, the one that it shares most with (on a tie, the smallest cluster id).
    There is no second choice: a name never moves on to a group with few of the members it was given for.
    """
    parent, group, shared = _overlaps(groups, parents)
    rank = np.argsort(np.argsort(np.array([cluster.id for cluster in parents], dtype=str)))
    offers = _first_of_each(parent, (group, -shared))
    accepted = offers[_first_of_each(group[offers], (rank[parent[offers]], -shared[offers]))]
    parent_of, successor_of, origin_of = (np.full(count, -1) for count in (len(groups), len(parents), len(groups)))
    parent_of[group[accepted]] = parent[accepted]
    successor_of[parent[accepted]] = group[accepted]
    main = _first_of_each(group, (rank[parent], -shared))
    main = main[(2 * shared[main] > groups.size[group[main]]) & (parent_of[group[main]] < 0)]
    origin_of[group[main]] = parent[main]
    size = np.array([cluster.size for cluster in parents])[parent[accepted]]
    unchanged = np.zeros(len(groups), bool)
    unchanged[group[accepted]] = (groups.size[group[accepted]] == size) & (shared[accepted] == size)
    return ClusterMatch(parent_of, successor_of, origin_of, unchanged)


def _overlaps(
    groups: Groups, parents: Sequence[KnownCluster]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """All pairs of a parent and a group that share members, and how many (estimated by sample, exact up to 128)."""
    position_of = groups.index.position_of
    sample_sizes = np.array([len(cluster.sample_ids) for cluster in parents], np.int64)

    def sampled_positions() -> Positions:
        return np.array(
            [position_of.get(asset_id, -1) for cluster in parents for asset_id in cluster.sample_ids], np.int64
        )

    positions = groups.index.cached_positions(parents, sampled_positions)  # the same while thresholds move
    sampled_parent = np.repeat(np.arange(len(parents)), sample_sizes)[positions >= 0]
    sampled_group = groups.group_at[positions[positions >= 0]]
    pairs, hits = np.unique(sampled_parent * max(1, len(groups)) + sampled_group, return_counts=True)
    parent, group = np.divmod(pairs, max(1, len(groups)))
    size = np.array([cluster.size for cluster in parents])
    return parent, group, hits * size[parent] / np.maximum(sample_sizes, 1)[parent]


def _first_of_each(key: NDArray[np.int64], then_by: tuple[NDArray[np.generic], ...]) -> NDArray[np.intp]:
    """For each value of `key`, the index that comes first by `then_by` (the last of them counts most)."""
    order = np.lexsort((*then_by, key))
    return order[np.flatnonzero(np.diff(key[order], prepend=-1))]


@dataclass(frozen=True)
class Annotation:
    """A name, description or mark, the sample of the cluster it was given to, and its source."""

    sample_ids: tuple[str, ...]
    value: str | bool
    source: Rename | Describe | MarkNoGroup | KnownCluster


@dataclass(frozen=True)
class OverriddenAnnotation:
    """An annotation that no group has: `winner` took its place, or (None) none of its pictures is left."""

    annotation: Annotation
    winner: Annotation | None


def resolve_annotations(
    saved: Iterable[Annotation], inherited: Mapping[int, Annotation], new: Iterable[Annotation], groups: Groups
) -> tuple[dict[int, Annotation], tuple[OverriddenAnnotation, ...]]:
    """Each group's annotation, and those that were overridden.

    Annotations apply in order: `saved` ones come from edits that the parents reflect, then what the groups inherit from
    the parents, then `new` edits. Each belongs to the group with most of its sampled ids. Where two meet, the later one
    wins if it was made for the same cluster (its sample contains most of the earlier one's: a second rename) or for a
    part of the group that is at least as large; a small cluster that a lower threshold joins to a large one does not
    rename it. Inheriting an empty value (empty text, False) removes a saved annotation that the parents did not have.
    """
    resolution = _Resolution(groups)
    for annotation in saved:
        resolution.add(annotation, groups.resolve(annotation.sample_ids))
    for group, annotation in inherited.items():
        if annotation.value:
            resolution.add(annotation, group)
        else:
            resolution.current.pop(group, None)
    for annotation in new:
        resolution.add(annotation, groups.resolve(annotation.sample_ids))
    return resolution.current, tuple(resolution.overridden)


class _Resolution:
    """The current annotation of each group, and those overridden so far."""

    def __init__(self, groups: Groups) -> None:
        self.current: dict[int, Annotation] = {}
        self.overridden: list[OverriddenAnnotation] = []
        self._groups = groups

    def add(self, annotation: Annotation, group: int | None) -> None:
        """Annotate a group unless its current annotation wins; None means that the cluster is gone."""
        if group is None:
            self.overridden.append(OverriddenAnnotation(annotation, None))
            return
        earlier = self.current.get(group)
        if earlier is None or estimated_containment(earlier.sample_ids, annotation.sample_ids) > 0.5:
            self.current[group] = annotation
        elif self._groups.fraction_from(annotation.sample_ids, group) >= self._groups.fraction_from(
            earlier.sample_ids, group
        ):
            self.current[group] = annotation
            self._override(earlier, annotation)
        else:
            self._override(annotation, earlier)

    def _override(self, annotation: Annotation, winner: Annotation) -> None:
        if annotation.value != winner.value:
            self.overridden.append(OverriddenAnnotation(annotation, winner))
