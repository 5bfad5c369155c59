"""Branches of a dendrogram, referred to in a way that carries over to another dendrogram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import Branch
from core.clusters.edits.unapplied import GONE, UnappliedEdit
from core.clusters.tree.asset_index import AssetIndex, Groups
from core.clusters.tree.cut import leaf_rows, lowest_common_ancestor
from core.clusters.tree.linkage import Linkage


def branch_at(linkage: Linkage, index: AssetIndex, node: int, threshold: float) -> Branch:
    """The subtree below a node as a Branch, referred to by the smallest id of each of its two children."""
    children = [node] if node < linkage.n else linkage.tree.children[node - linkage.n].tolist()
    return Branch(tuple(sorted(_smallest_id(linkage, index, child) for child in children)), threshold)


def _smallest_id(linkage: Linkage, index: AssetIndex, node: int) -> str:
    rows: list[int] = leaf_rows(linkage, node).tolist()
    return min(index.asset_ids[row] for row in rows)


def resolve_branches(
    branches: Sequence[Branch], linkage: Linkage, index: AssetIndex
) -> tuple[dict[int, float], tuple[UnappliedEdit, ...]]:
    """The thresholds by node that the branches stand for, and the branches that no longer apply."""
    resolved: dict[int, Branch] = {}
    unapplied = []
    for branch in branches:
        positions = index.positions(branch.leaf_ids)
        if len(positions) < len(branch.leaf_ids):
            unapplied.append(_unapplied(branch, f"a picture that marks the branch is {GONE}"))
            continue
        node = lowest_common_ancestor(linkage, index.row_at[positions])
        if node in resolved:
            unapplied.append(_unapplied(resolved[node], f"the same branch was set to {branch.threshold:g} later"))
        resolved[node] = branch
    return {node: branch.threshold for node, branch in resolved.items()}, tuple(unapplied)


def _unapplied(branch: Branch, reason: str) -> UnappliedEdit:
    return UnappliedEdit(branch, f"The threshold {branch.threshold:g} of one branch is not used", reason)


def position_thresholds(
    branch_thresholds: Mapping[int, float], threshold: float, linkage: Linkage, index: AssetIndex
) -> NDArray[np.float64]:
    """The threshold that applies at each position, (n,): that of the innermost branch, or else `threshold`."""
    tree = linkage.tree
    by_leaf = np.full(linkage.n, threshold)
    for node in sorted(branch_thresholds, key=lambda node: -int(tree.size[node])):
        by_leaf[tree.start[node] : tree.start[node] + tree.size[node]] = branch_thresholds[node]
    return by_leaf[tree.start[index.row_at]]


def subtree_nodes(groups: Groups, linkage: Linkage) -> NDArray[np.int64]:
    """The node whose leaves are exactly the members of each group, (k,); -1 where there is none."""
    tree, rows = linkage.tree, groups.index.row_at[groups.order]
    if not len(groups):
        return np.empty(0, np.int64)
    leaf = tree.start[rows]  # a row is a node of one leaf, so its start is its place in the leaf order
    low = np.minimum.reduceat(leaf, groups.start)
    high = np.maximum.reduceat(leaf, groups.start)
    node = np.where(groups.size == 1, rows[groups.start], -1)
    contiguous = np.flatnonzero((groups.size > 1) & (high - low + 1 == groups.size))
    contiguous = contiguous[np.argsort(low[contiguous])]
    if len(contiguous):
        # the lowest common ancestor of a run of leaves is the latest of the merges in its gaps
        ends = np.column_stack([low[contiguous], high[contiguous]]).ravel()
        top = np.maximum.reduceat(np.append(tree.gap_node, -1), ends)[::2]
        node[contiguous] = np.where(tree.size[top] == groups.size[contiguous], top, -1)
    return node
