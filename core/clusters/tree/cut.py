"""Flat clusters from a dendrogram: cut at one threshold everywhere, or at another one within a branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.linkage import Linkage
from core.errors import ClusterError
from core.text import counted

Keys = Sequence[str] | NDArray[np.integer]


def cut(
    linkage: Linkage,
    threshold: float,
    branch_thresholds: Mapping[int, float] | None = None,
    *,
    keys: Keys | None = None,
) -> NDArray[np.int32]:
    """Cluster labels for every row, (n,) int32: the largest subtrees all of whose merges have similarity ≥ `threshold`.

    `branch_thresholds` gives a node of the dendrogram (see Linkage) its own threshold, which applies to the merges of
    that subtree; where branches are nested, the innermost one applies. It never joins anything outside the node. Where
    it splits the node, a larger cluster that contained the node falls apart into its subtrees as well: a cluster is
    always a whole subtree. A cluster that shares no row with a branch is the same with and without it, unless it is
    part of such a larger cluster.

    Clusters are numbered from 0 by decreasing size, ties by their smallest row, or by their smallest key if `keys` (n,)
    are given: asset ids, or integers with the same order, which are faster. With keys the labels do not depend on the
    row order. Raises ClusterError for a node that is not in the dendrogram.
    """
    starts, order = _clusters(linkage, _joined_gaps(linkage, threshold, branch_thresholds or {}), keys)
    numbers = np.empty(len(order), np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    labels = np.empty(linkage.n, np.int32)
    labels[linkage.tree.leaf_order] = np.repeat(numbers, np.diff(starts, append=linkage.n))
    return labels


def cluster_nodes(
    linkage: Linkage,
    threshold: float,
    branch_thresholds: Mapping[int, float] | None = None,
    *,
    keys: Keys | None = None,
) -> NDArray[np.int64]:
    """The dendrogram nodes of the clusters that `cut` finds, (k,) int64: entry i is the node of label i."""
    joined = _joined_gaps(linkage, threshold, branch_thresholds or {})
    starts, order = _clusters(linkage, joined, keys)
    if not len(starts):
        return np.empty(0, np.int64)
    tops = np.maximum.reduceat(np.append(np.where(joined, linkage.tree.gap_node, -1), -1), starts)
    return np.where(tops < 0, linkage.tree.leaf_order[starts], tops)[order]


def leaf_rows(linkage: Linkage, node: int) -> NDArray[np.int64]:
    """The rows below a node, (k,) int64. Raises ClusterError for a node that is not in the dendrogram."""
    _check_node(linkage, node)
    start = linkage.tree.start[node]
    return linkage.tree.leaf_order[start : start + linkage.tree.size[node]]


def lowest_common_ancestor(linkage: Linkage, rows: Sequence[int] | NDArray[np.integer]) -> int:
    """The node of the smallest subtree that contains all `rows`. Raises ClusterError if there are none or any is out of
    range."""
    rows = np.asarray(rows, np.int64)
    if not rows.size or rows.min() < 0 or rows.max() >= linkage.n:
        raise ClusterError(f"no subtree holds the rows {rows[:5]}: name one or more, from 0 to {linkage.n - 1}")
    leaves = linkage.tree.start[rows]
    first, last = leaves.min(), leaves.max()
    return int(linkage.tree.gap_node[first:last].max(initial=linkage.tree.leaf_order[first]))


def _joined_gaps(linkage: Linkage, threshold: float, branch_thresholds: Mapping[int, float]) -> NDArray[np.bool_]:
    """For every gap in the leaf order, (n - 1,): whether its merge is made, and with it all merges below."""
    tree = linkage.tree
    similarity = linkage.similarities[tree.gap_node - linkage.n]
    thresholds = np.full(len(similarity), threshold)
    for node in branch_thresholds:
        _check_node(linkage, node)
    for node in sorted(branch_thresholds, key=lambda node: -tree.size[node]):
        thresholds[tree.start[node] : tree.start[node] + tree.size[node] - 1] = branch_thresholds[node]
    joined = similarity >= thresholds
    for node in branch_thresholds:
        _detach_if_split(linkage, joined, node)
    return joined


def _detach_if_split(linkage: Linkage, joined: NDArray[np.bool_], node: int) -> None:
    """If a node is split, undo the merges above it, in place."""
    tree, n = linkage.tree, linkage.n
    if node < n or joined[tree.gap(node - n)]:
        return
    ancestor = tree.parent[node]
    while ancestor >= 0 and joined[tree.gap(ancestor - n)]:
        joined[tree.gap(ancestor - n)] = False
        ancestor = tree.parent[ancestor]


def _clusters(
    linkage: Linkage, joined: NDArray[np.bool_], keys: Keys | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each cluster starts in the leaf order, and the clusters in the order of their labels."""
    starts = np.flatnonzero(np.append(True, ~joined)[: linkage.n])
    if not len(starts):
        return starts, starts
    leaf_order = linkage.tree.leaf_order
    smallest = np.minimum.reduceat(leaf_order if keys is None else _ranks(linkage, keys)[leaf_order], starts)
    return starts, np.lexsort((smallest, -np.diff(starts, append=linkage.n)))


def _ranks(linkage: Linkage, keys: Keys) -> NDArray[np.integer]:
    values = np.asarray(keys)
    if len(values) != linkage.n:
        raise ClusterError(
            f"there are {counted(len(values), 'key')} for {counted(linkage.n, 'row')}: give one to each row"
        )
    return values if np.issubdtype(values.dtype, np.integer) else np.unique(values, return_inverse=True)[1]


def _check_node(linkage: Linkage, node: int) -> None:
    nodes = linkage.n + len(linkage.z)
    if not 0 <= node < nodes:
        raise ClusterError(f"the dendrogram has no node {node} (it has 0 to {nodes - 1}): it may be of another version")
