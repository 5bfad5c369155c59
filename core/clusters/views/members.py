"""Which cluster of a revision each picture is in."""

from __future__ import annotations

from collections.abc import Iterable

from core.records.cluster_members import ClusterMembers
from core.records.clusterings import Assignment, Clustering, Revision


def members_of(revision: Revision, clustering: Clustering, assigned: Iterable[Assignment]) -> ClusterMembers:
    """The clusters of a revision by asset id; `assigned` are pictures that joined them later."""
    labels = zip(clustering.asset_ids, clustering.labels.tolist(), strict=True)
    cluster_of = {asset_id: clustering.clusters[label] for asset_id, label in labels if label >= 0}
    by_id = {cluster.id: cluster for cluster in clustering.clusters}
    joined = {each.asset_id: by_id[each.cluster_id] for each in assigned if each.cluster_id in by_id}
    return ClusterMembers(revision, cluster_of | joined)
