"""A plan applied to a collection as it is now: assets cut and edited, new ones assigned, statistics of the clusters."""

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
from core.clusters.views.partition import Cluster, Partition, build_partition
from core.clusters.views.statistics import ClusterStatistics, compute_statistics
from core.store.lance.snapshot import Snapshot

BORDERLINE_MARGIN = 0.03


@dataclass(frozen=True, eq=False)
class ClusterBase:
    """A dendrogram and its assets, mapped to the collection as it is now.

    `version` is the collection version of the dendrogram; `row_in_linkage` (n,) is the dendrogram's row for each row of
    the snapshot, -1 for assets that were added later.
    """

    version: str
    snapshot: Snapshot
    index: AssetIndex
    linkage: Linkage
    row_in_linkage: NDArray[np.int64]

    @staticmethod
    def from_linkage(version: str, snapshot: Snapshot, asset_ids: tuple[str, ...], linkage: Linkage) -> ClusterBase:
        """Map a stored dendrogram of `asset_ids` to a snapshot."""
        if asset_ids == snapshot.ids:
            return ClusterBase(version, snapshot, AssetIndex.from_ids(snapshot.ids), linkage, np.arange(len(asset_ids)))
        index = AssetIndex.from_ids(asset_ids)
        positions = np.array([index.position_of.get(asset_id, -1) for asset_id in snapshot.ids], np.int64)
        rows = np.append(index.row_at, -1)[positions]  # the last entry is for unknown assets
        return ClusterBase(version, snapshot, index, linkage, rows)

    @cached_property
    def row_in_snapshot(self) -> NDArray[np.int64]:
        """The snapshot's row for each row of the linkage, -1 for assets that are gone."""
        rows = np.full(len(self.index), -1)
        known = np.flatnonzero(self.row_in_linkage >= 0)
        rows[self.row_in_linkage[known]] = known
        return rows

    @property
    def new_rows(self) -> NDArray[np.int64]:
        """The snapshot's rows that are not in the dendrogram, (m,)."""
        return np.flatnonzero(self.row_in_linkage < 0)

    @property
    def complete(self) -> bool:
        """Whether the dendrogram has exactly the assets of the snapshot."""
        return not len(self.new_rows) and len(self.index) == len(self.snapshot)


@dataclass(frozen=True, eq=False)
class ClusterView:
    """Clusters over the rows of a snapshot.

    `labels` (n,) int32 index `clusters`, -1 is unclustered; `statistics` are of these labels. Assets that are not in
    the dendrogram are assigned to the nearest centroid if it is near enough.
    """

    base: ClusterBase
    plan: Plan
    partition: Partition
    labels: NDArray[np.int32]
    statistics: ClusterStatistics

    @property
    def asset_ids(self) -> tuple[str, ...]:
        return self.base.snapshot.ids

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        return self.partition.clusters

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """The number of assets that each cluster has in the snapshot, new ones included, (k,)."""
        return np.bincount(self.labels[self.labels >= 0], minlength=len(self.clusters))

    @cached_property
    def borderline(self) -> NDArray[np.int64]:
        """The number of members of each cluster that are nearly as similar to another one, (k,)."""
        return self.statistics.borderline_counts(BORDERLINE_MARGIN)

    def number(self, cluster_id: str) -> int | None:
        """The number of a cluster, None if there is no such cluster."""
        return self._number_of.get(cluster_id)

    @cached_property
    def _number_of(self) -> dict[str, int]:
        return {cluster.id: number for number, cluster in enumerate(self.clusters)}


def build_view(
    base: ClusterBase,
    plan: Plan,
    parents: Sequence[KnownCluster] = (),
    saved_edit_count: int = 0,
    previous: ClusterView | None = None,
) -> ClusterView:
    """Apply a plan to a base; see `build_partition` for `parents` and `saved_edit_count`.

    A `previous` view makes this faster, because neighbouring cuts share most clusters; the result is the same.
    """
    partition = build_partition(plan, base.index, base.linkage, parents, saved_edit_count)
    count, vectors = len(partition.clusters), base.snapshot.vectors
    labels = np.append(partition.labels, np.int32(-1))[base.row_in_linkage]
    reusable = previous.statistics if previous and previous.base.snapshot is base.snapshot else None
    statistics = compute_statistics(vectors, labels, count, reusable)
    new_rows = base.new_rows
    if len(new_rows) and count:
        labels = labels.copy()
        thresholds = np.array([cluster.threshold for cluster in partition.clusters])
        assigned = assign(vectors[new_rows], statistics.centroids, thresholds, plan.threshold)
        labels[new_rows] = np.where(assigned.cluster < count, assigned.cluster, -1)
        statistics = compute_statistics(vectors, labels, count, statistics)
    return ClusterView(base, plan, partition, labels, statistics)
