"""A preview of the dendrogram branch that a cluster belongs to, cut at another threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import Branch, ClearBranch, Edit, SetBranch
from core.clusters.tree.branches import branch_at, resolve_branches
from core.clusters.tree.cut import cut, leaf_rows
from core.clusters.views.cluster_view import ClusterView


@dataclass(frozen=True, eq=False)
class BranchPreview:
    """A branch cut at a threshold: the `edits` for it, and the `pieces` as snapshot rows, the largest first.

    `grows` is whether the branch is larger than the cluster, because the threshold is low enough to join others.
    """

    edits: tuple[Edit, ...]
    pieces: tuple[NDArray[np.int64], ...]
    grows: bool


def preview_branch(view: ClusterView, number: int, threshold: float) -> BranchPreview | None:
    """Preview a threshold of its own for a cluster's branch, which splits the cluster or merges it upwards.

    None for a cluster that is not a subtree, because assets were merged, moved or assigned into it.
    """
    linkage, cluster_node = view.base.linkage, view.clusters[number].node
    if cluster_node is None:
        return None
    node = _top_node(view, cluster_node, threshold)
    branch = branch_at(linkage, view.base.index, node, threshold)
    rows = leaf_rows(linkage, node)
    row_set = set(rows.tolist())
    nested = [branch.leaf_ids for branch in view.plan.branches if _is_within(view, branch, row_set)]
    edits: tuple[Edit, ...] = (*(ClearBranch(leaf_ids) for leaf_ids in nested), SetBranch(branch))
    labels = cut(linkage, view.plan.threshold, {node: threshold})[rows]
    return BranchPreview(edits, _pieces(labels, view.base.row_in_snapshot[rows]), node != cluster_node)


def _top_node(view: ClusterView, node: int, threshold: float) -> int:
    """The largest subtree around a node that is one cluster at this threshold; the node itself if there is none."""
    linkage = view.base.linkage
    parent = int(linkage.tree.parent[node])
    while parent >= 0 and linkage.similarities[parent - linkage.n] >= threshold:
        node, parent = parent, int(linkage.tree.parent[parent])
    return node


def _is_within(view: ClusterView, branch: Branch, rows: set[int]) -> bool:
    """Whether all of a branch's rows are among `rows`."""
    resolved, _ = resolve_branches((branch,), view.base.linkage, view.base.index)
    return any(set(leaf_rows(view.base.linkage, node).tolist()) <= rows for node in resolved)


def _pieces(labels: NDArray[np.int32], snapshot_rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """The rows of each label, without those that are gone (-1), the largest first."""
    labels, snapshot_rows = labels[snapshot_rows >= 0], snapshot_rows[snapshot_rows >= 0]
    found, counts = np.unique(labels, return_counts=True)
    largest_first = found[np.argsort(-counts, kind="stable")].tolist()
    return tuple(snapshot_rows[labels == label] for label in largest_first)
