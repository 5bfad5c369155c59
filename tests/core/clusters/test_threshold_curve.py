from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from core.clusters.tree.cut import cut
from core.clusters.tree.linkage import Linkage, average_linkage
from core.clusters.tree.threshold_curve import ThresholdPlateau, find_plateaus, threshold_curve

# Five rows: 0 and 1 join at 0.9, 2 and 3 at 0.9 as well, both pairs at 0.5, row 4 at 0.2.
SMALL = Linkage(np.array([[0, 1, 0.1, 2], [2, 3, 0.1, 2], [5, 6, 0.5, 4], [4, 7, 0.8, 5]]), 5)


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def planted(n: int, clusters: int, noise: float, seed: int, d: int = 64) -> NDArray[np.float32]:
    """Clusters whose members have similarity 1 / (1 + noise²) and whose centres have about 0.36 of that."""
    rng = np.random.default_rng(seed)
    centres = 0.6 * unit(rng.standard_normal((1, d))) + 0.8 * unit(rng.standard_normal((clusters, d)))
    return unit(centres[np.arange(n) % clusters] + noise * rng.standard_normal((n, d)) / np.sqrt(d))


def blob(n: int, d: int, offset: float, seed: int) -> NDArray[np.float32]:
    return unit(np.random.default_rng(seed).standard_normal((n, d)) + offset)


def test_the_counts_follow_from_every_merge() -> None:
    curve = threshold_curve(SMALL)
    assert curve.similarity == pytest.approx([0.9, 0.5, 0.2])
    assert curve.counts.clusters.tolist() == [5, 3, 2, 1]
    assert curve.counts.singletons.tolist() == [5, 1, 1, 0]
    assert curve.counts.groups.tolist() == [0, 2, 1, 1]
    assert curve.counts.largest.tolist() == [1, 2, 4, 5]
    assert curve.counts.share.tolist() == [0, 0.8, 0.8, 1]
    assert curve.moved.tolist() == [0, 0.4, 0.8, 1]


def test_groups_have_at_least_the_minimum_size() -> None:
    curve = threshold_curve(SMALL, minimum_size=3)
    assert curve.counts.groups.tolist() == [0, 0, 1, 1]
    assert curve.counts.share.tolist() == [0, 0, 0.8, 1]
    assert threshold_curve(SMALL, minimum_size=1).counts.groups.tolist() == [5, 3, 2, 1]


@pytest.mark.parametrize("n", [0, 1])
def test_without_merges_the_curve_is_flat(n: int) -> None:
    curve = threshold_curve(Linkage(np.empty((0, 4)), n))
    thresholds, counts = curve.sample(3)
    assert thresholds.tolist() == [0, 0.5, 1]
    assert counts.clusters.tolist() == counts.singletons.tolist() == counts.largest.tolist() == [n, n, n]
    assert counts.share.tolist() == [0, 0, 0]
    assert find_plateaus(curve) == []


@given(
    hnp.arrays(np.int8, st.tuples(st.integers(1, 20), st.just(3)), elements=st.integers(-2, 2)),
    st.lists(st.floats(-1.1, 1.1), min_size=1, max_size=5),
    st.integers(1, 5),
)
@settings(deadline=None)
def test_the_curve_agrees_with_a_cut_at_any_threshold(
    rows: NDArray[np.int8], thresholds: list[float], minimum_size: int
) -> None:
    linkage = average_linkage(rows.astype(np.float32))
    requested = np.concatenate([thresholds, linkage.similarities])
    counts = threshold_curve(linkage, minimum_size).counts_at(requested)
    for i, threshold in enumerate(requested):
        sizes = np.bincount(cut(linkage, threshold))
        grouped = sizes[sizes >= minimum_size]
        assert counts.clusters[i] == len(sizes)
        assert counts.singletons[i] == (sizes == 1).sum()
        assert counts.groups[i] == len(grouped)
        assert counts.largest[i] == sizes.max()
        assert counts.share[i] == pytest.approx(grouped.sum() / len(rows))


def test_a_sample_is_exact_at_its_thresholds_and_covers_the_whole_range() -> None:
    linkage = average_linkage(planted(500, 20, 0.5, seed=0))
    thresholds, counts = threshold_curve(linkage).sample(40)
    assert len(thresholds) == 40
    assert (thresholds[0], thresholds[-1]) == (linkage.similarities[-1], linkage.similarities[0])
    assert counts.clusters.tolist() == [cut(linkage, threshold).max() + 1 for threshold in thresholds]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("n", "clusters", "noise"), [(60, 6, 0.5), (300, 3, 0.5), (2000, 80, 0.45), (2000, 50, 0.6)])
def test_the_planted_gap_is_the_widest_plateau(n: int, clusters: int, noise: float, seed: int) -> None:
    linkage = average_linkage(planted(n, clusters, noise, seed))
    first = find_plateaus(threshold_curve(linkage))[0]
    assert (first.groups, first.clusters) == (clusters, clusters)
    assert first.share == 1.0
    planted_labels = np.arange(n) % clusters
    found = cut(linkage, first.threshold)
    assert len(set(zip(planted_labels.tolist(), found.tolist(), strict=True))) == clusters
    assert f"{clusters} groups hold 100 % of the pictures" in first.reason


def test_groups_among_many_single_pictures_are_found() -> None:
    vectors = np.concatenate([planted(600, 30, 0.45, seed=1), blob(600, 64, 0.0, seed=2)])
    first = find_plateaus(threshold_curve(average_linkage(vectors)))[0]
    assert first.groups == 30
    assert first.share == pytest.approx(0.5, abs=0.05)


def test_exact_copies_are_a_plateau_of_their_own() -> None:
    vectors = blob(1000, 64, 0.0, seed=3)
    first = find_plateaus(threshold_curve(average_linkage(np.concatenate([vectors, vectors[:150]]))))[0]
    assert first.highest == 1.0
    assert first.groups == 150


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("offset", [0.0, 1.0, 3.0])
@pytest.mark.parametrize(("n", "d"), [(30, 2), (300, 2), (300, 3), (1000, 8), (1000, 64), (2000, 256)])
def test_one_dense_blob_suggests_nothing(n: int, d: int, offset: float, seed: int) -> None:
    assert find_plateaus(threshold_curve(average_linkage(blob(n, d, offset, seed)))) == []


def test_plateaus_do_not_overlap_and_the_widest_comes_first() -> None:
    rng = np.random.default_rng(4)
    families = planted(400, 8, 0.5, seed=5)
    vectors = unit(np.repeat(families, 5, axis=0) + 0.1 * rng.standard_normal((2000, 64)) / 8)
    found = find_plateaus(threshold_curve(average_linkage(vectors)))
    assert [plateau.groups for plateau in found] in ([400, 8], [8, 400])
    assert found[0].width > found[1].width
    assert found[0].lowest >= found[1].highest or found[1].lowest >= found[0].highest
    assert find_plateaus(threshold_curve(average_linkage(vectors)), limit=1) == found[:1]


def test_the_reason_is_a_sentence_with_figures() -> None:
    still = ThresholdPlateau(lowest=0.78, highest=0.84, clusters=100, groups=37, share=0.81, moved=0.0)
    assert still.reason == "the groups stay the same from 0.78 to 0.84: 37 groups hold 81 % of the pictures"
    assert still.threshold == pytest.approx(0.81)
    slow = ThresholdPlateau(lowest=0.5, highest=0.73, clusters=100, groups=80, share=0.9, moved=0.018)
    assert slow.reason == (
        "the groups hardly change from 0.50 to 0.73 (1.8 % of the pictures move): 80 groups hold 90 % of the pictures"
    )
