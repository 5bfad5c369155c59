"""A dendrogram as flat arrays: the leaves in an order in which every subtree is one contiguous run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class FlatTree:
    """Arrays derived from a dendrogram of n rows with the nodes 0..2n-2 (rows first, then merges; see Linkage).

    `leaf_order` (n,) lists the rows so that those of node v are leaf_order[start[v] : start[v] + size[v]]. `gap_node`
    (n - 1,) is the lowest common ancestor of each two neighbours in that order: each merge has exactly one gap, and the
    gaps of a subtree's merges are those between its leaves. `children` is (n - 1, 2), `parent` (2n - 1,) with -1 for
    the root.
    """

    leaf_order: NDArray[np.int64]
    start: NDArray[np.int64]
    size: NDArray[np.int64]
    gap_node: NDArray[np.int64]
    children: NDArray[np.int64]
    parent: NDArray[np.int64]

    def gap(self, merge: int) -> int:
        """The gap of a merge in the leaf order."""
        return int(self.start[self.children[merge, 1]]) - 1

    @staticmethod
    def from_merges(z: NDArray[np.float64], n: int) -> FlatTree:
        """Flatten SciPy's (n - 1, 4) linkage matrix."""
        children = z[:, :2].astype(np.int64)
        merges = np.arange(n, n + len(z))
        size = np.concatenate([np.ones(n, np.int64), z[:, 3].astype(np.int64)])
        parent = np.full(n + len(z), -1)
        parent[children] = merges[:, None]
        start = _starts(children, size, parent)
        leaf_order, gap_node = np.empty(n, np.int64), np.empty(len(z), np.int64)
        leaf_order[start[:n]] = np.arange(n)
        gap_node[start[children[:, 1]] - 1] = merges
        return FlatTree(leaf_order, start, size, gap_node, children, parent)


def _starts(children: NDArray[np.int64], size: NDArray[np.int64], parent: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each node's leaves start, the first child's before the second's, (2n - 1,).

    A node starts after the leaves of the first siblings of all second children on its path to the root. Pointer
    jumping adds these up: each round covers twice as many steps towards the root as the one before.
    """
    start, ancestor = np.zeros(len(size), np.int64), np.where(parent < 0, np.arange(len(size)), parent)
    start[children[:, 1]] = size[children[:, 0]]
    while len(pending := np.flatnonzero(ancestor != ancestor[ancestor])):
        start[pending] += start[ancestor[pending]]
        ancestor[pending] = ancestor[ancestor[pending]]
    return start
