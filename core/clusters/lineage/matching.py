"""How identities, names and marks pass from the clusters that were known to those of a new partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import Describe, MarkNoGroup, Rename
from core.clusters.tree.asset_index import Groups, Places, estimated_containment


@dataclass(frozen=True)
class KnownCluster:
    """A cluster of an earlier partition, as its revision keeps it.

    `sketch` are the (at most) 128 smallest ids of its members, ascending (see ClusterRef), `size` is how many it had.
    `confirmed` tells a name that a curator gave from a suggested one.
    """

    id: str
    name: str
    confirmed: bool
    description: str
    no_group: bool
    sketch: tuple[str, ...]
    size: int

    @property
    def curated(self) -> bool:
        """Whether somebody's work would be lost with it."""
        return bool((self.confirmed and self.name) or self.description or self.no_group)


@dataclass(frozen=True, eq=False)
class ClusterMatch:
    """Who takes after whom; parents and groups by their numbers, -1 is nobody.

    `parent_of` (k,) is the parent whose identity each group takes, `heir_of` (p,) the same the other way round, and
    `origin_of` (k,), for groups that take none, the parent that more than half of the group comes from. `same` (k,)
    tells which groups are, by size and witnesses, what their parent was.
    """

    parent_of: NDArray[np.int64]
    heir_of: NDArray[np.int64]
    origin_of: NDArray[np.int64]
    same: NDArray[np.bool_]


def match_clusters(groups: Groups, parents: Sequence[KnownCluster]) -> ClusterMatch:
    """Pass the identities of `parents` on to groups.

    A parent offers its identity to the one group that shares most members with it (of several, the one with the
    smallest id); a group takes, of those offered, the one that it shares most with (of several, that of the smallest
    cluster id). Nobody gets a second choice: a name never moves on to a group that holds little of what it named.
    """
    parent, group, shared = _overlaps(groups, parents)
    rank = np.argsort(np.argsort(np.array([known.id for known in parents], dtype=str)))
    offers = _first_of_each(parent, (group, -shared))
    taken = offers[_first_of_each(group[offers], (rank[parent[offers]], -shared[offers]))]
    parent_of, heir_of, origin_of = (np.full(count, -1) for count in (len(groups), len(parents), len(groups)))
    parent_of[group[taken]] = parent[taken]
    heir_of[parent[taken]] = group[taken]
    main = _first_of_each(group, (rank[parent], -shared))
    main = main[(2 * shared[main] > groups.size[group[main]]) & (parent_of[group[main]] < 0)]
    origin_of[group[main]] = parent[main]
    size = np.array([known.size for known in parents])
    same = np.zeros(len(groups), bool)
    same[group[taken]] = (groups.size[group[taken]] == size[parent[taken]]) & (shared[taken] == size[parent[taken]])
    return ClusterMatch(parent_of, heir_of, origin_of, same)


def _overlaps(
    groups: Groups, parents: Sequence[KnownCluster]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """All pairs of a parent and a group that share members, and how many (by the sketch, exact up to 128)."""
    place_of, drawn = groups.roster.place_of, np.array([len(known.sketch) for known in parents], np.int64)

    def found() -> Places:
        return np.array([place_of.get(asset_id, -1) for known in parents for asset_id in known.sketch], np.int64)

    places = groups.roster.places_once(parents, found)  # they stay the same while thresholds move
    owner = np.repeat(np.arange(len(parents)), drawn)[places >= 0]
    held = groups.group_at[places[places >= 0]]
    pairs, hits = np.unique(owner * max(1, len(groups)) + held, return_counts=True)
    parent, group = np.divmod(pairs, max(1, len(groups)))
    size = np.array([known.size for known in parents])
    return parent, group, hits * size[parent] / np.maximum(drawn, 1)[parent]


def _first_of_each(key: NDArray[np.int64], then_by: tuple[NDArray[np.generic], ...]) -> NDArray[np.intp]:
    """For each value of `key`, the position that comes first by `then_by` (the last of them counts most)."""
    order = np.lexsort((*then_by, key))
    return order[np.flatnonzero(np.diff(key[order], prepend=-1))]


@dataclass(frozen=True)
class Annotation:
    """A name, description or mark that belongs to the cluster of its witnesses, and where it comes from."""

    witnesses: tuple[str, ...]
    value: str | bool
    source: Rename | Describe | MarkNoGroup | KnownCluster


@dataclass(frozen=True)
class Overridden:
    """A claim that does not stand: against `winner`, or (None) because none of its pictures is left."""

    claim: Annotation
    winner: Annotation | None


def resolve_annotations(
    before: Iterable[Annotation], inherited: Mapping[int, Annotation], since: Iterable[Annotation], groups: Groups
) -> tuple[dict[int, Annotation], tuple[Overridden, ...]]:
    """Which claim stands in each group: edits that the parents know of, then what these hand down, then later edits.

    Each claim belongs to the group that holds most of its witnesses. Where two meet, the later one stands if it was
    made for the same cluster (it holds most of the earlier one's witnesses: a second rename) or for a part of the group
    that is at least as large; a small cluster that a lower threshold joins to a large one does not rename it. What is
    inherited without a value (empty, False) takes away what the parents knew of and did not have.
    """
    contest = _Resolution(groups)
    for claim in before:
        contest.enter(claim, groups.resolve(claim.witnesses))
    for group, claim in inherited.items():
        if claim.value:
            contest.enter(claim, group)
        else:
            contest.standing.pop(group, None)
    for claim in since:
        contest.enter(claim, groups.resolve(claim.witnesses))
    return contest.standing, tuple(contest.defeats)


class _Resolution:
    """Claims that stand so far, and those that do not."""

    def __init__(self, groups: Groups) -> None:
        self.standing, self.defeats = dict[int, Annotation](), list[Overridden]()
        self._groups = groups

    def enter(self, claim: Annotation, group: int | None) -> None:
        """Let a claim take its group, or lose to the one that has it; None is no group at all."""
        if group is None:
            self.defeats.append(Overridden(claim, None))
            return
        before = self.standing.get(group)
        if before is None or estimated_containment(before.witnesses, claim.witnesses) > 0.5:
            self.standing[group] = claim
        elif self._groups.share(claim.witnesses, group) >= self._groups.share(before.witnesses, group):
            self.standing[group] = claim
            self._defeat(before, claim)
        else:
            self._defeat(claim, before)

    def _defeat(self, claim: Annotation, winner: Annotation) -> None:
        if claim.value != winner.value:
            self.defeats.append(Overridden(claim, winner))
