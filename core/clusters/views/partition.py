"""A plan applied to a dendrogram: the clusters, their identities and names, and what could not be applied."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.applying import AppliedEdits, apply_edits
from core.clusters.edits.model import SAMPLE_SIZE, ClusterRef
from core.clusters.edits.plan import Plan
from core.clusters.edits.unapplied import GONE, UnappliedEdit
from core.clusters.lineage.annotations import GroupAnnotations, annotate_groups, suggested_names
from core.clusters.lineage.matching import ClusterMatch, KnownCluster, match_clusters
from core.clusters.tree.asset_index import AssetIndex, Groups, first_positions, stable_argsort
from core.clusters.tree.branches import position_thresholds, resolve_branches, subtree_nodes
from core.clusters.tree.cut import cut
from core.clusters.tree.linkage import Linkage
from core.errors import ClusterError
from core.text import called, counted, listed

MAX_CLUSTERS_LISTED = 3


class Cluster(NamedTuple):
    """One cluster of a partition; a tuple, because every slider move creates thousands of them.

    `id` is stable while thresholds move and across revisions. A name is `confirmed` if a curator gave it. `threshold`
    is the cosine similarity of its cut (the highest, if it lies in several branches). `origin` is the id of the earlier
    cluster that most of it came from, if another cluster took that identity. `pinned` is the number of assets pinned
    here. `node` is the dendrogram node with exactly these members, if there is one. `edited` is whether an edit created
    it or added members.
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
    """The cluster of every asset.

    `labels` (n,) int32, in row order, index `clusters`; -1 is unclustered: alone, or in a group below the minimum size
    that nobody has edited, named, described, marked or pinned assets into. Unclustered assets can be moved, and
    referred to by a ClusterRef, like any others. Clusters are sorted by decreasing size, ties by smallest asset id.
    `unapplied` are the edits, branches and earlier clusters that could not be carried over.
    """

    index: AssetIndex
    labels: NDArray[np.int32]
    clusters: tuple[Cluster, ...]
    unapplied: tuple[UnappliedEdit, ...]

    @property
    def asset_ids(self) -> tuple[str, ...]:
        """(n,) in row order."""
        return self.index.asset_ids

    def members(self, number: int) -> tuple[str, ...]:
        """The asset ids of a cluster, ascending."""
        return self._ids(number, None)

    def ref(self, number: int) -> ClusterRef:
        """A reference to a cluster for edits."""
        return ClusterRef(self._ids(number, SAMPLE_SIZE))

    def known_clusters(self) -> tuple[KnownCluster, ...]:
        """The clusters as parents of the next partition."""
        return tuple(
            KnownCluster(c.id, c.name, c.confirmed, c.description, c.no_group, self.ref(number).sample_ids, c.size)
            for number, c in enumerate(self.clusters)
        )

    def _ids(self, number: int, limit: int | None) -> tuple[str, ...]:
        order, start = self._by_cluster
        positions = order[start[number] : start[number + 1]][:limit]
        return tuple(self.index.sorted_ids[position] for position in positions.tolist())

    @cached_property
    def _by_cluster(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions by cluster, ascending, and where each cluster starts and the last one ends."""
        labels = self.labels[self.index.row_at]
        order = stable_argsort(labels)
        return order, np.searchsorted(labels[order], np.arange(len(self.clusters) + 1))


def build_partition(
    plan: Plan, index: AssetIndex, linkage: Linkage, parents: Sequence[KnownCluster] = (), saved_edit_count: int = 0
) -> Partition:
    """Cut the dendrogram at the plan's thresholds, apply its edits, and carry over the identities of `parents`.

    `index` lists the assets in the linkage's row order; the result does not depend on that order. `saved_edit_count` is
    the number of the plan's leading edits that `parents` already reflect, because they were saved together; so a saved
    plan gives the same partition again. Raises ClusterError if index and linkage do not match.
    """
    if linkage.n != len(index):
        raise ClusterError(f"the dendrogram has {linkage.n} pictures, the collection {len(index)}: compute it again")
    branch_thresholds, unapplied_branches = resolve_branches(plan.branches, linkage, index)
    labels = cut(linkage, plan.threshold, branch_thresholds)[index.row_at].astype(np.int64)
    applied = apply_edits(plan, labels, index)
    groups = Groups.from_labels(index, applied.labels)
    cluster_match = match_clusters(groups, parents)
    annotations = annotate_groups(plan, saved_edit_count, groups, cluster_match, parents)
    properties = _GroupProperties.compute(plan, branch_thresholds, linkage, groups, applied)
    shown = _shown_groups(plan.min_cluster_size, groups, properties, annotations)
    clusters = _clusters(shown, groups, properties, annotations, cluster_match, parents)
    numbers = np.full(len(groups), -1, np.int32)
    numbers[shown] = np.arange(len(shown), dtype=np.int32)
    row_labels = np.empty(len(index), np.int32)
    row_labels[index.row_at] = numbers[groups.group_at]
    lost = _lost_parents(parents, cluster_match, groups, numbers, clusters)
    unapplied = (*unapplied_branches, *applied.unapplied, *annotations.unapplied, *lost)
    return Partition(index, row_labels, clusters, unapplied)


@dataclass(frozen=True, eq=False)
class _GroupProperties:
    """The columns of Cluster that are computed for all groups at once, (k,)."""

    node: NDArray[np.int64]
    threshold: NDArray[np.float64]
    pinned: NDArray[np.int64]
    edited: NDArray[np.bool_]

    @staticmethod
    def compute(
        plan: Plan, branch_thresholds: Mapping[int, float], linkage: Linkage, groups: Groups, applied: AppliedEdits
    ) -> _GroupProperties:
        thresholds = position_thresholds(branch_thresholds, plan.threshold, linkage, groups.index)
        return _GroupProperties(
            node=subtree_nodes(groups, linkage),
            threshold=np.maximum.reduceat(thresholds[groups.order], groups.start),
            pinned=np.bincount(groups.group_at[applied.pinned], minlength=len(groups)),
            edited=_edited(groups, applied),
        )


def _edited(groups: Groups, applied: AppliedEdits) -> NDArray[np.bool_]:
    """Which groups have an edited label, (k,)."""
    first = first_positions(applied.labels)
    positions = first[applied.edited[applied.edited < len(first)]]
    edited = np.zeros(len(groups), bool)
    edited[groups.group_at[positions[positions < len(groups.index)]]] = True
    return edited


def _shown_groups(
    min_cluster_size: int, groups: Groups, properties: _GroupProperties, annotations: GroupAnnotations
) -> NDArray[np.int64]:
    """The groups that are shown as clusters, by decreasing size, ties by their smallest id."""
    shown = (groups.size >= max(2, min_cluster_size)) | properties.edited
    shown[list(annotations.groups)] = True
    numbers = np.flatnonzero(shown)
    return numbers[np.argsort(-groups.size[numbers], kind="stable")]


def _clusters(
    shown: NDArray[np.int64],
    groups: Groups,
    properties: _GroupProperties,
    annotations: GroupAnnotations,
    cluster_match: ClusterMatch,
    parents: Sequence[KnownCluster],
) -> tuple[Cluster, ...]:
    suggested = suggested_names(shown, annotations, cluster_match, parents)
    size, origin = groups.size[shown].tolist(), cluster_match.origin_of[shown].tolist()
    columns = (properties.node, properties.threshold, properties.pinned, properties.edited)
    node, threshold, pinned, edited = (column[shown].tolist() for column in columns)
    numbers = shown.tolist()
    return tuple(
        map(
            Cluster,
            _ids(shown, groups, cluster_match, parents),
            [annotations.names.get(group) or suggested.get(group, "") for group in numbers],
            [group in annotations.names for group in numbers],
            [annotations.descriptions.get(group, "") for group in numbers],
            size,
            threshold,
            [group in annotations.no_group for group in numbers],
            [parents[parent].id if parent >= 0 else None for parent in origin],
            pinned,
            [top if top >= 0 else None for top in node],
            edited,
        )
    )


def _ids(
    shown: NDArray[np.int64], groups: Groups, cluster_match: ClusterMatch, parents: Sequence[KnownCluster]
) -> list[str]:
    """Inherited ids; for other groups `c` and the first ten digits of their smallest asset id, made unique."""
    taken, ids, sorted_ids = {parent.id for parent in parents}, list[str](), groups.index.sorted_ids
    for first, parent in zip(groups.first[shown].tolist(), cluster_match.parent_of[shown].tolist(), strict=True):
        if parent >= 0:
            ids.append(parents[parent].id)
        else:
            stem = new_id = "c" + sorted_ids[first][:10]
            suffixes = count(2)
            while new_id in taken:
                new_id = f"{stem}-{next(suffixes)}"
            ids.append(new_id)
            taken.add(new_id)
    return ids


def _lost_parents(
    parents: Sequence[KnownCluster],
    cluster_match: ClusterMatch,
    groups: Groups,
    numbers: NDArray[np.int32],
    clusters: Sequence[Cluster],
) -> list[UnappliedEdit]:
    """Curated parents without a successor, unless another cluster has all that the curator gave them."""
    unapplied = []
    for parent, known in enumerate(parents):
        if known.curated and cluster_match.successor_of[parent] < 0:
            where = Counter(numbers[groups.group_at[groups.index.positions(known.sample_ids)]].tolist())
            found = [clusters[number] if number >= 0 else None for number, _ in where.most_common()]
            if not (found and found[0] and _has_annotations_of(found[0], known)):
                summary = f"{called(known.name)} ({counted(known.size, 'picture')}) is gone"
                unapplied.append(UnappliedEdit(known, summary, _whereabouts(found)))
    return unapplied


def _has_annotations_of(cluster: Cluster, known: KnownCluster) -> bool:
    """Whether the cluster has everything that a curator gave the known one."""
    return (
        (cluster.name == known.name or not known.confirmed)
        and (cluster.description == known.description or not known.description)
        and (cluster.no_group or not known.no_group)
    )


def _whereabouts(found: Sequence[Cluster | None]) -> str:
    if not found:
        return f"its pictures are {GONE}"
    names = [called(cluster.name) if cluster else "no cluster" for cluster in found[:MAX_CLUSTERS_LISTED]]
    more = len(found) - len(names)
    return "its pictures are now in " + listed([*names, *([counted(more, "other cluster")] if more else [])])
