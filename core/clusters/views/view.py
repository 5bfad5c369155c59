"""A plan seen on a collection as it is now: its pictures cut and edited, newcomers assigned, all of it measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.plan import Plan
from core.clusters.lineage.matching import KnownCluster
from core.clusters.tree.asset_index import AssetIndex
from core.clusters.tree.linkage import Linkage
from core.clusters.views.assignment import assign
from core.clusters.views.partition import Cluster, Partition, materialise
from core.clusters.views.statistics import ClusterStatistics, measure
from core.store.lance.snapshot import Snapshot

BORDERLINE_MARGIN = 0.03


@dataclass(frozen=True, eq=False)
class ClusterBase:
    """A dendrogram and the assets it is of, beside the collection as it is now.

    `version` is the collection version that the dendrogram is of; `row_in_linkage` (n,) is where each row of the
    snapshot stands in it, -1 for assets that came later.
    """

    version: str
    snapshot: Snapshot
    roster: AssetIndex
    linkage: Linkage
    row_in_linkage: NDArray[np.int64]

    @staticmethod
    def of(version: str, snapshot: Snapshot, asset_ids: tuple[str, ...], linkage: Linkage) -> ClusterBase:
        """Lay a stored dendrogram beside a snapshot."""
        if asset_ids == snapshot.ids:
            return ClusterBase(version, snapshot, AssetIndex.of(snapshot.ids), linkage, np.arange(len(asset_ids)))
        roster = AssetIndex.of(asset_ids)
        places = np.array([roster.place_of.get(asset_id, -1) for asset_id in snapshot.ids], np.int64)
        rows = np.append(roster.row_at, -1)[places]  # the last is for those that it does not know
        return ClusterBase(version, snapshot, roster, linkage, rows)

    @cached_property
    def row_in_snapshot(self) -> NDArray[np.int64]:
        """Where each row of the linkage stands in the snapshot, -1 for assets that are gone."""
        rows = np.full(len(self.roster), -1)
        known = np.flatnonzero(self.row_in_linkage >= 0)
        rows[self.row_in_linkage[known]] = known
        return rows

    @property
    def newcomers(self) -> NDArray[np.int64]:
        """The snapshot's rows that the dendrogram does not know, (m,)."""
        return np.flatnonzero(self.row_in_linkage < 0)

    @property
    def complete(self) -> bool:
        """Whether the dendrogram is of exactly these assets."""
        return not len(self.newcomers) and len(self.roster) == len(self.snapshot)


@dataclass(frozen=True, eq=False)
class ClusterView:
    """Clusters over the rows of a snapshot.

    `labels` (n,) int32 number `clusters`, -1 is unclustered; `measures` are of them. Newcomers are where their nearest
    centroid is, if it is near enough.
    """

    base: ClusterBase
    plan: Plan
    partition: Partition
    labels: NDArray[np.int32]
    measures: ClusterStatistics

    @property
    def asset_ids(self) -> tuple[str, ...]:
        return self.base.snapshot.ids

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        return self.partition.clusters

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """How many assets of the collection each cluster has now, newcomers included, (k,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.clusters))

    @cached_property
    def borderline(self) -> NDArray[np.int64]:
        """How many members of each cluster are nearly as similar to another one, (k,)."""
        return self.measures.borderline_counts(BORDERLINE_MARGIN)

    def number(self, cluster_id: str) -> int | None:
        """The number of a cluster, None if the plan makes none of that id."""
        return self._number_of.get(cluster_id)

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {cluster.id: number for number, cluster in enumerate(self.clusters)}


def build_view(
    base: ClusterBase,
    plan: Plan,
    parents: Sequence[KnownCluster] = (),
    settled: int = 0,
    like: ClusterView | None = None,
) -> ClusterView:
    """Lay a plan over a base; `parents` pass their identities on, and know of the first `settled` edits already.

    The view is the same, and sooner there, with another one that is `like` it: neighbouring cuts share most clusters.
    """
    partition = materialise(plan, base.roster, base.linkage, parents, settled)
    count, vectors = len(partition.clusters), base.snapshot.vectors
    known = np.append(partition.labels, np.int32(-1))
    labels = known[base.row_in_linkage]
    measures = measure(vectors, labels, count, like.measures if like and like.base.snapshot is base.snapshot else None)
    newcomers = base.newcomers
    if len(newcomers) and count:
        labels = labels.copy()
        thresholds = np.array([cluster.threshold for cluster in partition.clusters])
        assigned = assign(vectors[newcomers], measures.centroids, thresholds, plan.threshold)
        labels[newcomers] = np.where(assigned.cluster < count, assigned.cluster, -1)
        measures = measure(vectors, labels, count, measures)
    return ClusterView(base, plan, partition, labels, measures)
