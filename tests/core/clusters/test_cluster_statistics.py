from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clusters.views import statistics
from core.clusters.views.statistics import ClusterStatistics, compute_statistics
from tests.fakes.dendrograms import unit_vectors

CLOSE = 1e-5


def labelled(rows: int, clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random unit vectors, and labels in which a cluster may be empty and some rows have none."""
    labels = np.random.default_rng(seed).integers(-1, max(clusters, 1), rows)
    return unit_vectors(rows, seed).astype(np.float32), np.where(labels < clusters, labels, -1).astype(np.int32)


LABELLED = st.builds(labelled, st.integers(0, 20), st.integers(0, 6), st.integers(0, 10_000))


def computed(world: tuple[np.ndarray, np.ndarray]) -> tuple[ClusterStatistics, int]:
    vectors, labels = world
    count = int(labels.max(initial=-1)) + 1
    return compute_statistics(vectors, labels, count), count


def rows_of(labels: np.ndarray, number: int) -> list[int]:
    return np.flatnonzero(labels == number).tolist()


@settings(deadline=None)
@given(LABELLED)
def test_centroids_are_the_members_normalised_mean(world: tuple[np.ndarray, np.ndarray]) -> None:
    found, count = computed(world)
    assert found.centroids.shape == (count, 3)
    assert found.centroids.dtype == np.float32
    for number in range(count):
        members = world[0][rows_of(world[1], number)].astype(np.float64)
        expected = members.sum(axis=0) if len(members) else np.zeros(3)
        length = np.linalg.norm(expected)
        assert found.centroids[number] == pytest.approx(expected / (length or 1), abs=CLOSE)


@settings(deadline=None)
@given(LABELLED)
def test_the_representative_is_the_member_most_similar_to_the_others(world: tuple[np.ndarray, np.ndarray]) -> None:
    found, count = computed(world)
    vectors = world[0].astype(np.float64)
    for number in range(count):
        rows, medoid = rows_of(world[1], number), int(found.representatives[number])
        if not rows:
            assert medoid == -1
            continue
        means = {row: np.mean([vectors[row] @ vectors[other] for other in rows]) for row in rows}
        assert medoid in rows
        assert means[medoid] == pytest.approx(max(means.values()), abs=CLOSE)


@settings(deadline=None)
@given(LABELLED)
def test_cohesion_is_the_mean_similarity_of_all_pairs_of_members(world: tuple[np.ndarray, np.ndarray]) -> None:
    found, count = computed(world)
    for number in range(count):
        members = world[0][rows_of(world[1], number)].astype(np.float64)
        pairs = (members @ members.T)[np.triu_indices(len(members), 1)]
        assert found.cohesion[number] == pytest.approx(pairs.mean() if len(pairs) else 1, abs=CLOSE)


@settings(deadline=None)
@given(LABELLED)
def test_similarity_and_members_are_by_the_own_centroid(world: tuple[np.ndarray, np.ndarray]) -> None:
    found, count = computed(world)
    vectors, labels = world
    for row, label in enumerate(labels.tolist()):
        own = vectors[row] @ found.centroids[label] if label >= 0 else np.nan
        assert found.similarity[row] == pytest.approx(own, abs=CLOSE, nan_ok=True)
    for number in range(count):
        members = found.members(number)
        assert sorted(members.tolist()) == rows_of(labels, number)
        assert (np.diff(found.similarity[members]) <= 0).all()


@settings(deadline=None)
@given(LABELLED)
def test_each_cluster_has_the_nearest_other_centroid_as_its_neighbour(world: tuple[np.ndarray, np.ndarray]) -> None:
    found, count = computed(world)
    nearest, cosine = found.neighbours()
    for number in range(count):
        others = {n: float(found.centroids[number] @ found.centroids[n]) for n in range(count) if n != number}
        if not others:
            assert (nearest[number], np.isnan(cosine[number])) == (-1, True)
            continue
        assert others[int(nearest[number])] == pytest.approx(max(others.values()), abs=CLOSE)
        assert cosine[number] == pytest.approx(max(others.values()), abs=CLOSE)


def margins(found: ClusterStatistics) -> np.ndarray:
    """How much nearer each row is to its own centroid than to the nearest other one; infinite if there is none."""
    to_all = found.vectors @ found.centroids.T
    rows = np.flatnonzero(found.labels >= 0)
    to_all[rows, found.labels[rows]] = -np.inf
    return found.similarity - to_all.max(axis=1, initial=-np.inf)


@settings(deadline=None)
@given(LABELLED, st.one_of(st.floats(-1, 1), st.floats(0, 0.1)))
def test_borderline_rows_have_a_smaller_margin_and_are_sorted_by_it(
    world: tuple[np.ndarray, np.ndarray], limit: float
) -> None:
    found, count = computed(world)
    margin = margins(found)
    for number in range(count):
        rows = found.borderline(number, limit)
        members = rows_of(world[1], number)
        assert {row for row in members if margin[row] < limit - CLOSE} <= set(rows.tolist())
        assert set(rows.tolist()) <= {row for row in members if margin[row] < limit + CLOSE}
        assert (np.diff(margin[rows]) >= -CLOSE).all()


@settings(deadline=None)
@given(LABELLED, st.floats(-1, 1))
def test_borderline_rows_are_counted_for_all_clusters_or_for_some(
    world: tuple[np.ndarray, np.ndarray], limit: float
) -> None:
    found, count = computed(world)
    margin = margins(found)
    counts = found.borderline_counts(limit)
    for number in range(count):
        lowest, highest = (np.count_nonzero(margin[rows_of(world[1], number)] < limit + by) for by in (-CLOSE, CLOSE))
        assert lowest <= counts[number] <= highest
    some = list(range(count))[::-2]
    fewer = found.borderline_counts(limit, some)
    assert len(fewer) == len(some)
    if not np.isclose(margin, limit, atol=CLOSE).any():
        assert fewer.tolist() == counts[some].tolist()


def test_a_row_far_from_all_other_clusters_is_never_borderline() -> None:
    rng = np.random.default_rng(0)
    rows = np.repeat(np.eye(6), 9, axis=0) + 0.15 * rng.standard_normal((54, 6))
    rows = np.vstack([rows, 0.9 * np.eye(6)[0] + 1.1 * np.eye(6)[1]])  # between two of the groups
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    found = compute_statistics(vectors, np.append(np.repeat(np.arange(6), 9), 0).astype(np.int32), 6)
    assert found.borderline(0, 0.03).tolist() == [54]
    assert found.borderline_counts(0.03).tolist() == [1, 0, 0, 0, 0, 0]


@settings(deadline=None)
@given(LABELLED, st.integers(1, 4))
def test_work_in_blocks_changes_nothing(world: tuple[np.ndarray, np.ndarray], block: int) -> None:
    whole, count = computed(world)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "BLOCK_ROWS", block)
        patch.setattr(statistics, "BLOCK_CLUSTERS", block)
        patch.setattr(statistics, "BLOCK_MEMBERS", block)
        parts, _ = computed(world)
        assert_same(parts, whole)
        assert parts.neighbours()[1] == pytest.approx(whole.neighbours()[1], abs=CLOSE, nan_ok=True)
        assert parts.borderline_counts(2.5).tolist() == whole.borderline_counts(2.5).tolist()
        assert parts.neighbours(range(count)[::-1])[1] == pytest.approx(
            whole.neighbours()[1][::-1], abs=CLOSE, nan_ok=True
        )


def assert_same(found: ClusterStatistics, expected: ClusterStatistics) -> None:
    """The same to the last bit."""
    for name in ("labels", "centroids", "representatives", "cohesion", "similarity"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype
        assert np.array_equal(one, other, equal_nan=one.dtype.kind == "f"), name


@settings(deadline=None)
@given(LABELLED, st.integers(0, 6), st.integers(0, 10_000), st.integers(0, 20))
def test_statistics_reused_from_another_labelling_are_the_same(
    world: tuple[np.ndarray, np.ndarray], clusters: int, seed: int, changed: int
) -> None:
    vectors, labels = world
    renumbered = np.random.default_rng(seed).permutation(8).astype(np.int32)
    before = np.where(labels >= 0, renumbered[labels], -1).astype(np.int32)
    before[:changed] = labelled(len(labels), clusters, seed)[1][:changed]
    previous = compute_statistics(vectors, before, int(before.max(initial=-1)) + 1)
    whole, count = computed(world)
    assert_same(compute_statistics(vectors, labels, count, previous), whole)


def test_unchanged_clusters_are_not_computed_again() -> None:
    vectors, labels = labelled(20, 4, 3)
    previous = compute_statistics(vectors, labels, 4)
    merged = np.where(labels == 3, 2, labels).astype(np.int32)
    found = compute_statistics(np.zeros_like(vectors), merged, 3, previous)
    assert found.centroids.any(axis=1).tolist() == [True, True, False]


def test_without_rows_the_statistics_are_empty() -> None:
    found = compute_statistics(np.empty((0, 4), np.float32), np.empty(0, np.int32), 0)
    assert found.centroids.shape == (0, 4)
    assert [len(part) for part in (*found.neighbours(), found.representatives, found.cohesion)] == [0] * 4
    assert found.borderline_counts(0.1).tolist() == []


def test_rows_without_a_cluster_have_no_similarity() -> None:
    found = compute_statistics(unit_vectors(3, 1).astype(np.float32), np.full(3, -1, np.int32), 0)
    assert np.isnan(found.similarity).all()
    assert found.borderline_counts(2.0).tolist() == []


def test_one_cluster_has_no_neighbour_and_no_border() -> None:
    found = compute_statistics(unit_vectors(3, 1).astype(np.float32), np.zeros(3, np.int32), 1)
    assert found.neighbours()[0].tolist() == [-1]
    assert found.borderline(0, 2.0).tolist() == []
    assert found.borderline_counts(2.0).tolist() == [0]


@pytest.mark.parametrize("count", [2, 3, 7])
def test_members_that_cancel_out_have_no_centroid(count: int) -> None:
    angle = 2 * np.pi * np.arange(count) / count
    vectors = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    found = compute_statistics(vectors, np.zeros(count, np.int32), 1)
    assert found.centroids.tolist() == [[0, 0]]
    assert found.representatives.tolist() == [0]
    assert found.cohesion[0] == pytest.approx(-1 / (count - 1), abs=CLOSE)


def test_of_equally_typical_members_the_first_represents_the_cluster() -> None:
    vectors = unit_vectors(1, 3).astype(np.float32).repeat(4, axis=0)
    assert compute_statistics(vectors, np.array([-1, 0, 0, 0], np.int32), 1).representatives.tolist() == [1]
