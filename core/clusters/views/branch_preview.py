"""The branch of the dendrogram that a cluster lies in, and what another threshold would make of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import Branch, ClearBranch, Edit, SetBranch
from core.clusters.tree.branches import branch_at, resolve_branches
from core.clusters.tree.cut import cut, members
from core.clusters.views.view import ClusterView


@dataclass(frozen=True, eq=False)
class BranchPreview:
    """A branch cut at a threshold: `edits` bring it about, `pieces` are the snapshot's rows, the largest first.

    `grows` says that the branch holds more than the cluster: the threshold is so low that it joins others.
    """

    edits: tuple[Edit, ...]
    pieces: tuple[NDArray[np.int64], ...]
    grows: bool


def preview(view: ClusterView, number: int, threshold: float) -> BranchPreview | None:
    """What a threshold of its own would make of a cluster's branch, split deeper or merged upward.

    None for a cluster that is no subtree: merged, moved into, or assigned.
    """
    linkage, start = view.base.linkage, view.clusters[number].node
    if start is None:
        return None
    node = _top(view, start, threshold)
    rows = members(linkage, node)
    inner = [branch.witnesses for branch in view.plan.branches if _lies_in(view, branch, set(rows.tolist()))]
    labels = cut(linkage, view.plan.threshold, {node: threshold})[rows]
    here = view.base.row_in_snapshot[rows]
    labels, here = labels[here >= 0], here[here >= 0]
    found, counts = np.unique(labels, return_counts=True)
    largest_first = found[np.argsort(-counts, kind="stable")].tolist()
    branch = branch_at(linkage, view.base.roster, node, threshold)
    edits: tuple[Edit, ...] = (*(ClearBranch(witnesses) for witnesses in inner), SetBranch(branch))
    return BranchPreview(edits, tuple(here[labels == label] for label in largest_first), node != start)


def _top(view: ClusterView, node: int, threshold: float) -> int:
    """The largest subtree around a node that this threshold joins; the node itself where it does not even join it."""
    linkage = view.base.linkage
    above = int(linkage.tree.parent[node])
    while above >= 0 and linkage.similarities[above - linkage.n] >= threshold:
        node, above = above, int(linkage.tree.parent[above])
    return node


def _lies_in(view: ClusterView, branch: Branch, rows: set[int]) -> bool:
    """Whether a branch is this subtree or one within."""
    resolved, _ = resolve_branches((branch,), view.base.linkage, view.base.roster)
    return any(set(members(view.base.linkage, node).tolist()) <= rows for node in resolved)
