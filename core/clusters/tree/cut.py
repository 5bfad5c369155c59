"""Clusters by cutting a dendrogram: at one threshold for all, or at another one within a branch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.linkage import Linkage
from core.errors import ClusterError

Keys = Sequence[str] | NDArray[np.integer]


def cut(
    linkage: Linkage,
    threshold: float,
    branch_thresholds: Mapping[int, float] | None = None,
    *,
    keys: Keys | None = None,
) -> NDArray[np.int32]:
    """The cluster of every row, (n,) int32: the largest subtrees all of whose merges have similarity ≥ `threshold`.

    `branch_thresholds` gives a node of the dendrogram (see Linkage) a threshold of its own, which holds for the merges
    of that subtree; of nested ones the innermost. It never joins what lies outside the node. Where it splits the node,
    whatever larger cluster held the node falls into its subtrees beside it: a cluster is always a whole subtree. A
    cluster that shares no row with a branch is the same with and without it, unless it lies in such a larger one.

    Clusters are numbered from 0 by decreasing size, equal sizes by their smallest row, or by their smallest key, where
    `keys` (n,) gives each row one: asset ids, or integers that sort alike, which is faster. With keys the numbers do
    not depend on the order of the rows. Raises ClusterError for a node that is not in the dendrogram.
    """
    begins, order = _stretches(linkage, _joined(linkage, threshold, branch_thresholds or {}), keys)
    numbers = np.empty(len(order), np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    labels = np.empty(linkage.n, np.int32)
    labels[linkage.tree.leaf_order] = np.repeat(numbers, np.diff(begins, append=linkage.n))
    return labels


def nodes_at(
    linkage: Linkage,
    threshold: float,
    branch_thresholds: Mapping[int, float] | None = None,
    *,
    keys: Keys | None = None,
) -> NDArray[np.int64]:
    """The dendrogram's nodes of the clusters that `cut` finds, (k,) int64: entry i is the node of label i."""
    joined = _joined(linkage, threshold, branch_thresholds or {})
    begins, order = _stretches(linkage, joined, keys)
    if not len(begins):
        return np.empty(0, np.int64)
    tops = np.maximum.reduceat(np.append(np.where(joined, linkage.tree.gap_node, -1), -1), begins)
    return np.where(tops < 0, linkage.tree.leaf_order[begins], tops)[order]


def members(linkage: Linkage, node: int) -> NDArray[np.int64]:
    """The rows below a node, (k,) int64. Raises ClusterError for a node that is not in the dendrogram."""
    _check_node(linkage, node)
    start = linkage.tree.start[node]
    return linkage.tree.leaf_order[start : start + linkage.tree.size[node]]


def node_of(linkage: Linkage, rows: Sequence[int] | NDArray[np.integer]) -> int:
    """The smallest subtree that holds all of `rows`. Raises ClusterError for no rows, or one that does not exist."""
    wanted = np.asarray(rows, np.int64)
    if not wanted.size or wanted.min() < 0 or wanted.max() >= linkage.n:
        raise ClusterError(f"no subtree holds the rows {wanted[:5]}: name one or more, from 0 to {linkage.n - 1}")
    places = linkage.tree.start[wanted]
    first, last = places.min(), places.max()
    return int(linkage.tree.gap_node[first:last].max(initial=linkage.tree.leaf_order[first]))


def _joined(linkage: Linkage, threshold: float, branches: Mapping[int, float]) -> NDArray[np.bool_]:
    """For every gap of the tree's leaf order, (n - 1,): whether its merge is made, and so all merges below it."""
    tree = linkage.tree
    similarity = linkage.similarities[tree.gap_node - linkage.n]
    limits = np.full(len(similarity), threshold)
    for node in branches:
        _check_node(linkage, node)
    for node in sorted(branches, key=lambda node: -tree.size[node]):
        limits[tree.start[node] : tree.start[node] + tree.size[node] - 1] = branches[node]
    joined = similarity >= limits
    for node in branches:
        _keep_apart(linkage, joined, node)
    return joined


def _keep_apart(linkage: Linkage, joined: NDArray[np.bool_], node: int) -> None:
    """Undo what joins a split node with its surroundings."""
    tree, n = linkage.tree, linkage.n
    if node < n or joined[tree.gap(node - n)]:
        return
    above = tree.parent[node]
    while above >= 0 and joined[tree.gap(above - n)]:
        joined[tree.gap(above - n)] = False
        above = tree.parent[above]


def _stretches(
    linkage: Linkage, joined: NDArray[np.bool_], keys: Keys | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each cluster begins in the leaf order, and the clusters in the order of their labels."""
    begins = np.flatnonzero(np.append(True, ~joined)[: linkage.n])
    if not len(begins):
        return begins, begins
    order = linkage.tree.leaf_order
    smallest = np.minimum.reduceat(order if keys is None else _ranks(linkage, keys)[order], begins)
    return begins, np.lexsort((smallest, -np.diff(begins, append=linkage.n)))


def _ranks(linkage: Linkage, keys: Keys) -> NDArray[np.integer]:
    values = np.asarray(keys)
    if len(values) != linkage.n:
        raise ClusterError(f"there are {len(values)} keys for {linkage.n} rows: give one to each row")
    return values if np.issubdtype(values.dtype, np.integer) else np.unique(values, return_inverse=True)[1]


def _check_node(linkage: Linkage, node: int) -> None:
    nodes = linkage.n + len(linkage.z)
    if not 0 <= node < nodes:
        raise ClusterError(f"the dendrogram has no node {node} (it has 0 to {nodes - 1}): it may be of another version")
