from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.cluster.hierarchy import fcluster

from core.clusters.tree.cut import cluster_nodes, cut, leaf_rows, lowest_common_ancestor
from core.clusters.tree.linkage import Linkage, average_linkage
from core.embedding.open_clip_encoder import EncoderOptions, OpenClipEncoder
from core.errors import ClusterError
from core.settings import PROJECT

PHOTOS = PROJECT / "data" / "demo" / "photos"

# Five rows: 0 and 1 join at 0.9, 2 and 3 at 0.8, both pairs at 0.5, row 4 at 0.2.
SMALL = Linkage(np.array([[0, 1, 0.1, 2], [2, 3, 0.2, 2], [5, 6, 0.5, 4], [4, 7, 0.8, 5]]), 5)
FIRST_PAIR, SECOND_PAIR, BOTH_PAIRS, ROOT = 5, 6, 7, 8

thresholds = st.floats(-1.1, 1.1)


@st.composite
def linkages(draw: st.DrawFn) -> Linkage:
    """Dendrograms of a few rows, with many ties."""
    shape = st.tuples(st.integers(1, 20), st.just(3))
    rows = draw(hnp.arrays(np.int8, shape, elements=st.integers(-2, 2)))
    return average_linkage(rows.astype(np.float32))


def groups(labels: NDArray[np.int32]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


def within(partition: set[frozenset[int]], rows: Sequence[int] | NDArray[np.int64]) -> set[frozenset[int]]:
    """The parts of a partition that share a row with `rows`, cut down to them."""
    return {part & frozenset(rows) for part in partition if part & frozenset(rows)}


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [
        (0.95, [0, 1, 2, 3, 4]),
        (0.85, [0, 0, 1, 2, 3]),
        (0.8, [0, 0, 1, 1, 2]),
        (0.5, [0, 0, 0, 0, 1]),
        (0.1, [0, 0, 0, 0, 0]),
    ],
)
def test_a_merge_is_made_at_or_above_the_threshold(threshold: float, labels: list[int]) -> None:
    found = cut(SMALL, threshold)
    assert found.tolist() == labels
    assert found.dtype == np.int32


def test_a_higher_threshold_splits_one_branch_alone() -> None:
    assert cut(SMALL, 0.6, {SECOND_PAIR: 0.85}).tolist() == [0, 0, 1, 2, 3]


def test_a_lower_threshold_joins_within_its_branch_and_never_beyond() -> None:
    assert cut(SMALL, 0.85, {BOTH_PAIRS: 0.3}).tolist() == [0, 0, 0, 0, 1]
    assert cut(SMALL, 0.85, {BOTH_PAIRS: -1}).tolist() == [0, 0, 0, 0, 1]
    assert cut(SMALL, 0.85, {BOTH_PAIRS: 0.6}).tolist() == [0, 0, 1, 1, 2]


def test_of_nested_branches_the_innermost_applies() -> None:
    for order in ([ROOT, FIRST_PAIR], [FIRST_PAIR, ROOT]):
        thresholds = {ROOT: 0.7, FIRST_PAIR: 0.95}
        assert cut(SMALL, 0.0, {node: thresholds[node] for node in order}).tolist() == [1, 2, 0, 0, 3]


def test_a_split_branch_keeps_its_surroundings_apart() -> None:
    assert cut(SMALL, 0.1, {SECOND_PAIR: 0.85}).tolist() == [0, 0, 1, 2, 3]
    assert cut(SMALL, 0.1, {SECOND_PAIR: 0.75}).tolist() == [0, 0, 0, 0, 0]


def test_a_threshold_on_a_single_row_changes_nothing() -> None:
    assert cut(SMALL, 0.5, {4: -1.0, 0: 2.0}).tolist() == cut(SMALL, 0.5).tolist()


def test_larger_clusters_come_first_and_equal_ones_by_their_smallest_row_or_key() -> None:
    assert cut(SMALL, 0.8).tolist() == [0, 0, 1, 1, 2]
    assert cut(SMALL, 0.8, keys=["e", "d", "c", "b", "a"]).tolist() == [1, 1, 0, 0, 2]
    assert cut(SMALL, 0.8, keys=np.array([9, 7, 5, 3, 1])).tolist() == [1, 1, 0, 0, 2]
    assert cluster_nodes(SMALL, 0.8, keys=["e", "d", "c", "b", "a"]).tolist() == [SECOND_PAIR, FIRST_PAIR, 4]


@pytest.mark.parametrize("n", [0, 1])
def test_without_merges_every_row_is_a_cluster(n: int) -> None:
    linkage = Linkage(np.empty((0, 4)), n)
    assert cut(linkage, 0.5).tolist() == [0] * n
    assert cluster_nodes(linkage, 0.5).tolist() == [0] * n


def test_the_rows_of_a_node_and_the_lowest_common_ancestor_of_rows() -> None:
    assert sorted(leaf_rows(SMALL, BOTH_PAIRS)) == [0, 1, 2, 3]
    assert leaf_rows(SMALL, 4).tolist() == [4]
    assert lowest_common_ancestor(SMALL, [3]) == 3
    assert lowest_common_ancestor(SMALL, [3, 2]) == SECOND_PAIR
    assert lowest_common_ancestor(SMALL, [0, 3]) == BOTH_PAIRS
    assert lowest_common_ancestor(SMALL, np.array([0, 4])) == ROOT
    assert SMALL.tree.parent.tolist() == [5, 5, 6, 6, 8, 7, 7, 8, -1]
    assert SMALL.tree.children.tolist() == [[0, 1], [2, 3], [5, 6], [4, 7]]


@pytest.mark.parametrize("node", [-1, 9])
def test_a_node_that_does_not_exist_is_refused(node: int) -> None:
    with pytest.raises(ClusterError, match=rf"no node {node} \(it has 0 to 8\)"):
        cut(SMALL, 0.5, {node: 0.5})
    with pytest.raises(ClusterError, match="no node"):
        leaf_rows(SMALL, node)


@pytest.mark.parametrize("rows", [[], [5], [-1, 2]])
def test_rows_that_do_not_exist_have_no_common_ancestor(rows: list[int]) -> None:
    with pytest.raises(ClusterError, match="name one or more, from 0 to 4"):
        lowest_common_ancestor(SMALL, rows)


def test_keys_are_needed_for_every_row() -> None:
    with pytest.raises(ClusterError, match="2 keys for 5 rows"):
        cut(SMALL, 0.5, keys=["a", "b"])


@given(linkages(), thresholds, thresholds)
@settings(deadline=None)
def test_raising_a_threshold_only_splits(linkage: Linkage, one: float, other: float) -> None:
    fine, coarse = cut(linkage, max(one, other)), cut(linkage, min(one, other))
    assert len(set(zip(fine.tolist(), coarse.tolist(), strict=True))) == len(set(fine.tolist()))


@given(linkages(), thresholds)
@settings(deadline=None)
def test_a_cut_is_scipys_away_from_ties(linkage: Linkage, threshold: float) -> None:
    assume(linkage.n > 1 and np.abs(linkage.similarities - threshold).min() > 1e-9)
    labels = fcluster(linkage.z, max(1 - threshold, -1), "distance")
    assert groups(cut(linkage, threshold)) == groups(labels)


@given(linkages(), thresholds, st.data())
@settings(deadline=None)
def test_labels_and_nodes_belong_together(linkage: Linkage, threshold: float, data: st.DataObject) -> None:
    branches = data.draw(st.dictionaries(st.integers(0, 2 * linkage.n - 2), thresholds, max_size=4))
    labels, nodes = cut(linkage, threshold, branches), cluster_nodes(linkage, threshold, branches)
    for label, node in enumerate(nodes):
        assert sorted(leaf_rows(linkage, node)) == np.flatnonzero(labels == label).tolist()
    sizes = np.bincount(labels)
    assert len(sizes) == len(nodes)
    assert (np.diff(sizes) <= 0).all()


@given(linkages(), thresholds, thresholds, st.data())
@settings(deadline=None)
def test_a_branch_threshold_affects_its_branch_alone(
    linkage: Linkage, threshold: float, inside: float, data: st.DataObject
) -> None:
    node = data.draw(st.integers(0, 2 * linkage.n - 2))
    rows = leaf_rows(linkage, node)
    before, after = groups(cut(linkage, threshold)), groups(cut(linkage, threshold, {node: inside}))
    apart = {part for part in before if not part & frozenset(rows.tolist())}
    assert apart <= after
    enclosing = next((part for part in before if part > frozenset(rows.tolist())), None)
    if enclosing is None or len(within(after, rows)) == 1:
        assert {part for part in after if not part & frozenset(rows.tolist())} == apart
    assert within(after, rows) == within(groups(cut(linkage, inside)), rows)


@given(linkages(), thresholds, st.data())
@settings(deadline=None)
def test_every_cluster_is_the_largest_subtree_whose_merges_are_all_allowed(
    linkage: Linkage, threshold: float, data: st.DataObject
) -> None:
    branches = data.draw(st.dictionaries(st.integers(0, 2 * linkage.n - 2), thresholds, max_size=4))
    n, above = linkage.n, linkage.tree.parent
    whole = np.ones(2 * n - 1, bool)
    for node in range(n, 2 * n - 1):
        inner = node
        while inner >= 0 and inner not in branches:
            inner = above[inner]
        allowed = linkage.similarities[node - n] >= branches.get(int(inner), threshold)
        whole[node] = allowed and whole[linkage.tree.children[node - n]].all()
    expected = [node for node in range(2 * n - 1) if whole[node] and (above[node] < 0 or not whole[above[node]])]
    assert sorted(cluster_nodes(linkage, threshold, branches)) == expected


@given(linkages(), st.data())
@settings(deadline=None)
def test_the_lowest_common_ancestor_contains_the_rows_and_its_children_do_not(
    linkage: Linkage, data: st.DataObject
) -> None:
    rows = data.draw(st.sets(st.integers(0, linkage.n - 1), min_size=1))
    node = lowest_common_ancestor(linkage, list(rows))
    assert rows <= set(leaf_rows(linkage, node).tolist())
    if node >= linkage.n:
        for part in linkage.tree.children[node - linkage.n]:
            assert not rows <= set(leaf_rows(linkage, part).tolist())


@given(
    hnp.arrays(np.int8, st.tuples(st.integers(1, 20), st.just(3)), elements=st.integers(-2, 2)), thresholds, st.data()
)
@settings(deadline=None)
def test_with_keys_labels_do_not_depend_on_the_row_order(
    rows: NDArray[np.int8], threshold: float, data: st.DataObject
) -> None:
    order = np.array(data.draw(st.permutations(range(len(rows)))))
    keys = np.array([f"asset {i:02}" for i in range(len(rows))])
    labels = cut(average_linkage(rows.astype(np.float32)), threshold, keys=keys)
    shuffled = cut(average_linkage(rows[order].astype(np.float32)), threshold, keys=keys[order])
    assert shuffled.tolist() == labels[order].tolist()


def test_four_photographs_and_their_mirrored_copies_form_four_pairs() -> None:
    names = ["abalone-shell", "ajanta-caves", "alpaca-white-head", "windmill-grey-meadow"]
    originals = [Image.open(PHOTOS / f"{name}.jpg").convert("RGB") for name in names]
    encoder = OpenClipEncoder("bundled", EncoderOptions(batch_size=4))
    pictures = [*originals, *map(ImageOps.mirror, originals)]
    vectors = np.concatenate([encoder.encode_pixels(encoder.preprocess(picture)[None]) for picture in pictures])
    assert cut(average_linkage(vectors), 0.82).tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
