"""A plan laid over a dendrogram: who is in which cluster, what each is called, and what could not be carried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.applying import AppliedEdits, replay
from core.clusters.edits.model import WITNESSES, ClusterRef
from core.clusters.edits.plan import Plan
from core.clusters.edits.unapplied import GONE, UnappliedEdit
from core.clusters.lineage.annotations import GroupAnnotations, annotate_groups, suggested_names
from core.clusters.lineage.matching import ClusterMatch, KnownCluster, match_clusters
from core.clusters.tree.asset_index import AssetIndex, Groups, by_label, first_places
from core.clusters.tree.branches import resolve_branches, subtrees, threshold_at
from core.clusters.tree.cut import cut
from core.clusters.tree.linkage import Linkage
from core.errors import ClusterError
from core.text import called, counted, listed

CLUSTERS_TOLD = 3


class Cluster(NamedTuple):
    """One cluster of a partition; a tuple, because every move of a slider makes thousands of them.

    `id` stays with it while thresholds move and from revision to revision. A name is `confirmed` once a curator gave
    it. `threshold` is the cosine similarity at which it was cut (the highest, where it lies in several branches).
    `origin` is the id of the earlier cluster that most of it came from, where another one took that identity. `pinned`
    counts the assets that pins hold here. `node` is the dendrogram's node with exactly these members, None where there
    is none. `edited` tells that an edit put it together or gave it members.
    """

    id: str
    name: str
    confirmed: bool
    description: str
    size: int
    threshold: float
    no_group: bool
    origin: str | None
    pinned: int
    node: int | None
    edited: bool


@dataclass(frozen=True, eq=False)
class Partition:
    """Every asset in its place.

    `labels` (n,) int32, in row order, are numbers of `clusters`, -1 for what is unclustered: alone, or in a group of
    fewer than `smallest` that nobody has edited, named, described, marked or pinned into. Such an asset can be moved,
    and named by a ClusterRef, like any other. Clusters are listed by decreasing size, then by their smallest asset id.
    """

    roster: AssetIndex
    labels: NDArray[np.int32]
    clusters: tuple[Cluster, ...]
    losses: tuple[UnappliedEdit, ...]

    @property
    def asset_ids(self) -> tuple[str, ...]:
        """(n,) in row order."""
        return self.roster.asset_ids

    def members(self, number: int) -> tuple[str, ...]:
        """The asset ids of a cluster, by its number, ascending."""
        return self._ids(number, None)

    def ref(self, number: int) -> ClusterRef:
        """How an edit names a cluster."""
        return ClusterRef(self._ids(number, WITNESSES))

    def known(self) -> tuple[KnownCluster, ...]:
        """The clusters as parents of the next partition."""
        return tuple(
            KnownCluster(c.id, c.name, c.confirmed, c.description, c.no_group, self.ref(number).witnesses, c.size)
            for number, c in enumerate(self.clusters)
        )

    def _ids(self, number: int, most: int | None) -> tuple[str, ...]:
        order, start = self._by_cluster
        places = order[start[number] : start[number + 1]][:most]
        return tuple(self.roster.sorted_ids[place] for place in places.tolist())

    @cached_property
    def _by_cluster(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places by cluster, ascending, and where each cluster begins and the last one ends."""
        labels = self.labels[self.roster.row_at]
        order = by_label(labels)
        return order, np.searchsorted(labels[order], np.arange(len(self.clusters) + 1))


def materialise(
    plan: Plan, roster: AssetIndex, linkage: Linkage, parents: Sequence[KnownCluster] = (), settled: int = 0
) -> Partition:
    """Cut the dendrogram as the plan says, carry out its edits, and pass on the identities of `parents`.

    `roster` lists the assets in the order of the linkage's rows. The result does not depend on that order. `settled` is
    how many of the plan's edits, the first ones, `parents` know of: those of the plan that was saved with them. Then
    the same plan gives the same partition again. Raises ClusterError if roster and linkage do not fit; what cannot be
    carried is in the partition's losses.
    """
    if linkage.n != len(roster):
        raise ClusterError(f"the dendrogram has {linkage.n} pictures, the collection {len(roster)}: compute it again")
    thresholds, branch_losses = resolve_branches(plan.branches, linkage, roster)
    labels = cut(linkage, plan.threshold, thresholds)[roster.row_at].astype(np.int64)
    replayed = replay(plan, labels, roster)
    groups = Groups.of(roster, replayed.labels)
    heritage = match_clusters(groups, parents)
    traits = annotate_groups(plan, settled, groups, heritage, parents)
    facts = _Facts.of(plan, thresholds, linkage, groups, replayed)
    shown = _shown(plan.smallest, groups, facts, traits)
    clusters = _clusters(facts, shown, groups, traits, heritage, parents)
    numbers = np.full(len(groups), -1, np.int32)
    numbers[shown] = np.arange(len(shown), dtype=np.int32)
    row_labels = np.empty(len(roster), np.int32)
    row_labels[roster.row_at] = numbers[groups.group_at]
    gone = _gone(parents, heritage, groups, numbers, clusters)
    return Partition(roster, row_labels, clusters, (*branch_losses, *replayed.losses, *traits.losses, *gone))


@dataclass(frozen=True, eq=False)
class _Facts:
    """What is counted of each group, (k,)."""

    node: NDArray[np.int64]
    threshold: NDArray[np.float64]
    pinned: NDArray[np.int64]
    edited: NDArray[np.bool_]

    @staticmethod
    def of(
        plan: Plan, thresholds: Mapping[int, float], linkage: Linkage, groups: Groups, replayed: AppliedEdits
    ) -> _Facts:
        at_place = threshold_at(thresholds, plan.threshold, linkage, groups.roster)
        return _Facts(
            subtrees(groups, linkage),
            np.maximum.reduceat(at_place[groups.order], groups.start),
            np.bincount(groups.group_at[replayed.pinned], minlength=len(groups)),
            _edited(groups, replayed),
        )


def _edited(groups: Groups, replayed: AppliedEdits) -> NDArray[np.bool_]:
    """Which groups have a label that was edited, (k,)."""
    first = first_places(replayed.labels)
    places = first[replayed.edited[replayed.edited < len(first)]]
    edited = np.zeros(len(groups), bool)
    edited[groups.group_at[places[places < len(groups.roster)]]] = True
    return edited


def _shown(smallest: int, groups: Groups, facts: _Facts, traits: GroupAnnotations) -> NDArray[np.int64]:
    """The groups that are clusters, by decreasing size, then by their smallest id."""
    shown = (groups.size >= max(2, smallest)) | facts.edited
    shown[list(traits.groups)] = True
    numbers = np.flatnonzero(shown)
    return numbers[np.argsort(-groups.size[numbers], kind="stable")]


def _clusters(
    facts: _Facts,
    shown: NDArray[np.int64],
    groups: Groups,
    traits: GroupAnnotations,
    heritage: ClusterMatch,
    parents: Sequence[KnownCluster],
) -> tuple[Cluster, ...]:
    suggested = suggested_names(shown, traits, heritage, parents)
    columns = (groups.size, heritage.origin_of, facts.node, facts.threshold, facts.pinned, facts.edited)
    size, origin, node, threshold, pinned, edited = (column[shown].tolist() for column in columns)
    numbers = shown.tolist()
    return tuple(
        map(
            Cluster,
            _ids(shown, groups, heritage, parents),
            [traits.names.get(group) or suggested.get(group, "") for group in numbers],
            [group in traits.names for group in numbers],
            [traits.descriptions.get(group, "") for group in numbers],
            size,
            threshold,
            [group in traits.no_group for group in numbers],
            [parents[known].id if known >= 0 else None for known in origin],
            pinned,
            [top if top >= 0 else None for top in node],
            edited,
        )
    )


def _ids(
    shown: NDArray[np.int64], groups: Groups, heritage: ClusterMatch, parents: Sequence[KnownCluster]
) -> list[str]:
    """Inherited ids; for other groups `c` and the first ten digits of the smallest member's, but never a parent's."""
    taken, ids, sorted_ids = {known.id for known in parents}, list[str](), groups.roster.sorted_ids
    for first, parent in zip(groups.first[shown].tolist(), heritage.parent_of[shown].tolist(), strict=True):
        if parent >= 0:
            ids.append(parents[parent].id)
        else:
            stem = new = "c" + sorted_ids[first][:10]
            numbers = count(2)
            while new in taken:
                new = f"{stem}-{next(numbers)}"
            ids.append(new)
            taken.add(new)
    return ids


def _gone(
    parents: Sequence[KnownCluster],
    heritage: ClusterMatch,
    groups: Groups,
    numbers: NDArray[np.int32],
    clusters: Sequence[Cluster],
) -> list[UnappliedEdit]:
    """The parents that nobody takes after, where that loses somebody's work."""
    losses = []
    for parent, known in enumerate(parents):
        if known.curated and heritage.heir_of[parent] < 0:
            where = Counter(numbers[groups.group_at[groups.roster.places(known.sketch)]].tolist())
            found = [clusters[number] if number >= 0 else None for number, _ in where.most_common()]
            if not (found and found[0] and _says_the_same(found[0], known)):
                what = f"{called(known.name)} ({counted(known.size, 'picture')}) is gone"
                losses.append(UnappliedEdit(known, what, _whereabouts(found)))
    return losses


def _says_the_same(cluster: Cluster, known: KnownCluster) -> bool:
    """Whether an edit gives the cluster all that a curator once gave to a known one."""
    return (
        (cluster.name == known.name or not known.confirmed)
        and (cluster.description == known.description or not known.description)
        and (cluster.no_group or not known.no_group)
    )


def _whereabouts(found: Sequence[Cluster | None]) -> str:
    if not found:
        return f"its pictures are {GONE}"
    told = [called(cluster.name) if cluster else "no cluster" for cluster in found[:CLUSTERS_TOLD]]
    more = len(found) - len(told)
    return "its pictures are now in " + listed([*told, *([counted(more, "other cluster")] if more else [])])
