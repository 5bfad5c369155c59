"""Branches of a dendrogram, named so that another dendrogram understands them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import Branch
from core.clusters.edits.unapplied import GONE, UnappliedEdit
from core.clusters.tree.asset_index import AssetIndex, Groups
from core.clusters.tree.cut import members, node_of
from core.clusters.tree.linkage import Linkage


def branch_at(linkage: Linkage, roster: AssetIndex, node: int, threshold: float) -> Branch:
    """The subtree under a node, named by the smallest id in each of the two parts that it joins."""
    parts = [node] if node < linkage.n else linkage.tree.children[node - linkage.n].tolist()
    return Branch(tuple(sorted(_smallest_id(linkage, roster, part) for part in parts)), threshold)


def resolve_branches(
    branches: Sequence[Branch], linkage: Linkage, roster: AssetIndex
) -> tuple[dict[int, float], tuple[UnappliedEdit, ...]]:
    """The thresholds of the nodes that the branches mean, and the branches that mean none."""
    meant: dict[int, Branch] = {}
    losses = []
    for branch in branches:
        places = roster.places(branch.witnesses)
        if len(places) < len(branch.witnesses):
            losses.append(_loss(branch, f"a picture that marks the branch is {GONE}"))
            continue
        node = node_of(linkage, roster.row_at[places])
        if node in meant:
            losses.append(_loss(meant[node], f"the same branch was set to {branch.threshold:g} later"))
        meant[node] = branch
    return {node: branch.threshold for node, branch in meant.items()}, tuple(losses)


def _smallest_id(linkage: Linkage, roster: AssetIndex, node: int) -> str:
    rows: list[int] = members(linkage, node).tolist()
    return min(roster.asset_ids[row] for row in rows)


def _loss(branch: Branch, why: str) -> UnappliedEdit:
    return UnappliedEdit(branch, f"The threshold {branch.threshold:g} of one branch is not used", why)


def threshold_at(
    thresholds: Mapping[int, float], otherwise: float, linkage: Linkage, roster: AssetIndex
) -> NDArray[np.float64]:
    """The threshold that holds at each place, (n,): of branches within each other that of the innermost."""
    tree = linkage.tree
    by_leaf = np.full(linkage.n, otherwise)
    for node in sorted(thresholds, key=lambda node: -int(tree.size[node])):
        by_leaf[tree.start[node] : tree.start[node] + tree.size[node]] = thresholds[node]
    return by_leaf[tree.start[roster.row_at]]


def subtrees(groups: Groups, linkage: Linkage) -> NDArray[np.int64]:
    """The node whose leaves are exactly the members of each group, (k,); -1 where there is none."""
    tree, rows = linkage.tree, groups.roster.row_at[groups.order]
    if not len(groups):
        return np.empty(0, np.int64)
    leaf = tree.start[rows]  # a row is its own node: where it starts is where it stands
    low = np.minimum.reduceat(leaf, groups.start)
    high = np.maximum.reduceat(leaf, groups.start)
    node = np.where(groups.size == 1, rows[groups.start], -1)
    stretches = np.flatnonzero((groups.size > 1) & (high - low + 1 == groups.size))
    stretches = stretches[np.argsort(low[stretches])]
    if len(stretches):
        # the smallest subtree that holds a stretch of leaves is the last of the merges that stand in its gaps
        ends = np.column_stack([low[stretches], high[stretches]]).ravel()
        top = np.maximum.reduceat(np.append(tree.gap_node, -1), ends)[::2]
        node[stretches] = np.where(tree.size[top] == groups.size[stretches], top, -1)
    return node
