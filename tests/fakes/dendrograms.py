"""Small dendrograms and random edits for tests of clusters."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from scipy.cluster import hierarchy

from core.clusters.edits.model import (
    Branch,
    ClearBranch,
    ClusterRef,
    Describe,
    Edit,
    MarkNoGroup,
    Merge,
    Move,
    PairConstraint,
    Pin,
    Rename,
    SetBranch,
    SetMinClusterSize,
    SetThreshold,
    Split,
    Unpin,
)
from core.clusters.edits.plan import Plan, apply
from core.clusters.tree.asset_index import AssetIndex
from core.clusters.tree.linkage import Linkage
from core.errors import ClusterError


def asset_id(number: int | str) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


IDS = tuple(asset_id(number) for number in range(24))
THRESHOLDS = st.floats(-1, 1).map(lambda value: round(value, 4))


def unit_vectors(count: int, seed: int, dimension: int = 3) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dimension))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def dendrogram(vectors: np.ndarray) -> Linkage:
    """Average linkage on cosine distance, by SciPy."""
    if len(vectors) < 2:
        return Linkage(np.empty((0, 4)), len(vectors))
    return Linkage(hierarchy.linkage(vectors, "average", metric="cosine"), len(vectors))


def world(count: int, seed: int, ids: Sequence[str] = IDS) -> tuple[AssetIndex, Linkage]:
    """An index and a dendrogram of the first `count` assets with random vectors."""
    return AssetIndex.from_ids(ids[:count]), dendrogram(unit_vectors(count, seed))


def worlds(min_size: int = 1) -> st.SearchStrategy[tuple[AssetIndex, Linkage]]:
    return st.builds(world, st.integers(min_size, len(IDS)), st.integers(0, 2**32 - 1))


def some_ids(min_size: int = 1, max_size: int = 6) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(IDS), min_size=min_size, max_size=max_size, unique=True).map(tuple)


REFS = some_ids().map(ClusterRef.from_members)
ENDS = some_ids(1, 2).map(lambda ids: tuple(sorted(ids)))
NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
PIECES = some_ids(2, 8).flatmap(
    lambda ids: st.integers(1, len(ids)).map(lambda cut: tuple(piece for piece in (ids[:cut], ids[cut:]) if piece))
)
SETTINGS: st.SearchStrategy[Edit] = st.one_of(
    st.builds(SetThreshold, THRESHOLDS),
    st.builds(SetMinClusterSize, st.integers(1, 9)),
    st.builds(SetBranch, st.builds(Branch, ENDS, THRESHOLDS)),
    st.builds(ClearBranch, ENDS),
)
CURATIONS: st.SearchStrategy[Edit] = st.one_of(
    st.builds(Rename, REFS, NAMES),
    st.builds(Describe, REFS, st.text(st.characters(exclude_categories=["C"]), max_size=20)),
    st.builds(Merge, st.lists(REFS, min_size=2, max_size=3, unique=True).map(tuple)),
    st.builds(Move, some_ids(), st.none() | REFS),
    st.builds(Split, REFS, PIECES),
    st.builds(Pin, some_ids(), REFS),
    st.builds(Unpin, some_ids()),
    st.builds(MarkNoGroup, REFS, st.booleans()),
    some_ids(2, 2).flatmap(lambda pair: st.builds(PairConstraint, st.just(pair[0]), st.just(pair[1]), st.booleans())),
)
EDITS = SETTINGS | CURATIONS


def applied(plan: Plan, edits: Sequence[Edit]) -> Plan:
    """A plan after the edits that are possible."""
    for edit in edits:
        try:
            plan = apply(plan, edit)
        except ClusterError:
            continue  # nothing to clear or to unpin
    return plan


PLANS = st.lists(EDITS, max_size=12).map(lambda edits: applied(Plan(), edits))
