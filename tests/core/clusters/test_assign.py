from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clusters.views import assignment
from core.clusters.views.assignment import AssignmentResult, assign, preview_reassignments
from core.errors import ClusterError
from tests.fakes.dendrograms import unit_vectors

CLOSE = 1e-5


def world(new_vectors: int, clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """New vectors, centroids and a threshold for each centroid."""
    thresholds = np.random.default_rng(seed).uniform(-1, 1, clusters)
    vectors = unit_vectors(new_vectors + clusters, seed).astype(np.float32)
    return vectors[:new_vectors], vectors[new_vectors:], thresholds


WORLDS = st.builds(world, st.integers(0, 15), st.integers(0, 6), st.integers(0, 10_000))
THRESHOLDS = st.floats(-1, 1)
ClusterAndSimilarity = tuple[int, float]


def one_by_one(
    vectors: np.ndarray, centroids: np.ndarray, thresholds: np.ndarray, new_threshold: float
) -> list[ClusterAndSimilarity]:
    """The result of assign, computed the slow way."""
    founded: list[list[np.ndarray]] = []
    results: list[ClusterAndSimilarity] = []
    for vector in vectors.astype(np.float64):
        cosines = [float(vector @ centroid) for centroid in centroids.astype(np.float64)]
        best = int(np.argmax(cosines)) if cosines else -1
        if best >= 0 and cosines[best] >= thresholds[best]:
            results.append((best, cosines[best]))
            continue
        means = [np.sum(members, axis=0) for members in founded]
        cosines = [float(vector @ mean / max(np.linalg.norm(mean), 1e-12)) for mean in means]
        best = int(np.argmax(cosines)) if cosines else -1
        if best < 0 or cosines[best] < new_threshold:
            best, cosines = len(founded), [*cosines, 1.0]
            founded.append([])
        founded[best].append(vector)
        results.append((len(centroids) + best, cosines[best]))
    return results


@settings(deadline=None)
@given(WORLDS, THRESHOLDS)
def test_vectors_are_assigned_as_by_a_loop_over_all_of_them(
    world: tuple[np.ndarray, np.ndarray, np.ndarray], new_threshold: float
) -> None:
    found, expected = assign(*world, new_threshold), one_by_one(*world, new_threshold)
    assert found.cluster.tolist() == [cluster for cluster, _ in expected]
    assert found.similarity == pytest.approx([similarity for _, similarity in expected], abs=CLOSE)
    assert (found.cluster.dtype, found.similarity.dtype) == (np.int64, np.float32)


@settings(deadline=None)
@given(WORLDS, THRESHOLDS)
def test_a_known_cluster_takes_no_vector_below_its_own_threshold(
    world: tuple[np.ndarray, np.ndarray, np.ndarray], new_threshold: float
) -> None:
    vectors, centroids, thresholds = world
    found = assign(vectors, centroids, thresholds, new_threshold)
    joined = found.cluster < len(centroids)
    assert (found.similarity[joined] >= thresholds[found.cluster[joined]]).all()
    new = np.unique(found.cluster[~joined])
    assert new.tolist() == list(range(len(centroids), len(centroids) + len(new)))


@settings(deadline=None)
@given(WORLDS, THRESHOLDS, st.integers(1, 4))
def test_work_in_blocks_changes_nothing(
    world: tuple[np.ndarray, np.ndarray, np.ndarray], new_threshold: float, block: int
) -> None:
    whole = assign(*world, new_threshold)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "BLOCK_ROWS", block)
        assert assign(*world, new_threshold).cluster.tolist() == whole.cluster.tolist()


def at(*degrees: float) -> np.ndarray:
    """Unit vectors at these angles from east."""
    angle = np.radians(degrees)
    return np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)


def test_at_the_threshold_is_near_enough() -> None:
    here = at(0)
    assert assign(here, here, np.array([1.0]), 0.5).cluster.tolist() == [0]
    assert assign(at(90), here, np.array([np.nextafter(np.cos(np.pi / 2), 1) + 1e-6]), 0.5).cluster.tolist() == [1]


def test_the_nearest_cluster_decides_even_if_a_farther_one_has_a_lower_threshold() -> None:
    found = assign(at(30), at(0, 90), np.array([0.9, 0.1]), 0.5)
    assert found.cluster.tolist() == [2]


def test_a_vector_joins_a_cluster_that_an_earlier_one_founded() -> None:
    found = assign(at(90, 95, 180, 92), at(0), np.array([0.9]), 0.9)
    assert found.cluster.tolist() == [1, 1, 2, 1]
    assert found.similarity[0] == 1
    assert found.similarity[1] == pytest.approx(np.cos(np.radians(5)), abs=CLOSE)
    assert found.similarity[3] == pytest.approx(np.cos(np.radians(0.5)), abs=CLOSE)


def test_the_mean_of_a_founded_cluster_moves_towards_vectors_that_join_it() -> None:
    just_below = np.cos(np.radians(22))
    assert assign(at(0, 21, 31), np.empty((0, 2), np.float32), np.empty(0), just_below).cluster.tolist() == [0, 0, 0]
    assert assign(at(0, 31), np.empty((0, 2), np.float32), np.empty(0), just_below).cluster.tolist() == [0, 1]


def test_no_vectors_and_no_centroids_are_possible() -> None:
    none, no_thresholds = np.empty((0, 2), np.float32), np.empty(0)
    assert len(assign(none, none, no_thresholds, 0.8).cluster) == 0
    assert len(assign(none, at(0), np.array([0.8]), 0.8).cluster) == 0
    assert assign(at(0, 90), none, no_thresholds, 0.8).cluster.tolist() == [0, 1]
    assert preview_reassignments(none, at(0), np.array([0.8]), 0.9) == []
    assert preview_reassignments(at(0), none, no_thresholds, 0.9) == []


WRONG_SHAPES = [
    (np.zeros((2, 3)), np.zeros((2, 4)), np.zeros(2), r"vectors \(2, 3\) and centroids \(2, 4\) do not fit"),
    (np.zeros(3), np.zeros((2, 3)), np.zeros(2), r"vectors \(3,\) and centroids \(2, 3\) do not fit"),
    (np.zeros((2, 3)), np.zeros(3), np.zeros(3), r"vectors \(2, 3\) and centroids \(3,\) do not fit"),
    (np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(3), r"\(3,\) thresholds for 2 centroids: give one to each"),
]


@pytest.mark.parametrize(("vectors", "centroids", "thresholds", "message"), WRONG_SHAPES)
def test_shapes_that_do_not_match_are_refused(
    vectors: np.ndarray, centroids: np.ndarray, thresholds: np.ndarray, message: str
) -> None:
    for function in (assign, preview_reassignments):
        with pytest.raises(ClusterError, match=message):
            function(vectors.astype(np.float32), centroids.astype(np.float32), thresholds, 0.5)


def known(found: AssignmentResult, count: int) -> list[int]:
    return [cluster if cluster < count else -1 for cluster in found.cluster.tolist()]


@settings(deadline=None)
@given(WORLDS, THRESHOLDS)
def test_a_preview_has_the_differences_of_two_assignments(
    world: tuple[np.ndarray, np.ndarray, np.ndarray], proposed: float
) -> None:
    vectors, centroids, thresholds = world
    before = assign(vectors, centroids, thresholds, 0.5)
    after = assign(vectors, centroids, np.full(len(centroids), proposed), 0.5)
    was, becomes = known(before, len(centroids)), known(after, len(centroids))
    changes = preview_reassignments(vectors, centroids, thresholds, proposed)
    expected = [(row, *pair) for row, pair in enumerate(zip(was, becomes, strict=True)) if pair[0] != pair[1]]
    assert [(change.row, change.before, change.after) for change in changes] == expected
    for change in changes:
        nearest = float((centroids @ vectors[change.row]).max())
        assert change.similarity == pytest.approx(nearest, abs=CLOSE)
