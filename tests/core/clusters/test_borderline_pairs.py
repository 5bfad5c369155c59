from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from core.clusters.tree.cut import cut, leaf_rows, lowest_common_ancestor
from core.clusters.tree.linkage import Linkage
from core.clusters.views.borderline_pairs import (
    JUDGEMENT_SCALE,
    borderline_pairs,
    cophenetic_similarity,
    estimate_threshold,
)
from tests.fakes.dendrograms import dendrogram, unit_vectors

THRESHOLDS = st.floats(-1, 1)
NOBODY: frozenset[tuple[int, int]] = frozenset()


def grown(rows: int, seed: int) -> tuple[Linkage, np.ndarray]:
    vectors = unit_vectors(rows, seed).astype(np.float32)
    return dendrogram(vectors), vectors


GROWN = st.builds(grown, st.integers(0, 16), st.integers(0, 10_000))
PLANTED = grown(16, 7)


@settings(deadline=None)
@given(GROWN)
def test_cophenetic_similarities_are_scipys(world: tuple[Linkage, np.ndarray]) -> None:
    linkage, _ = world
    if linkage.n < 2:
        return
    together = 1 - squareform(hierarchy.cophenet(linkage.z))
    for a, b in combinations(range(linkage.n), 2):
        assert cophenetic_similarity(linkage, a, b) == pytest.approx(together[a, b], abs=1e-12)
        assert cophenetic_similarity(linkage, b, a) == cophenetic_similarity(linkage, a, b)


def test_the_cophenetic_similarity_of_a_picture_with_itself_is_one() -> None:
    assert cophenetic_similarity(PLANTED[0], 3, 3) == 1


@settings(deadline=None)
@given(GROWN, THRESHOLDS, st.integers(1, 8))
def test_a_borderline_pair_has_the_most_typical_pictures_of_both_sides_of_a_merge_near_the_threshold(
    world: tuple[Linkage, np.ndarray], threshold: float, count: int
) -> None:
    linkage, vectors = world
    pairs = borderline_pairs(linkage, vectors, threshold, count, NOBODY)
    distances = [abs(pair.similarity - threshold) for pair in pairs]
    assert distances == sorted(distances)
    assert distances == sorted(np.abs(linkage.similarities - threshold).tolist())[:count]
    for pair in pairs:
        assert pair.a < pair.b
        assert cophenetic_similarity(linkage, pair.a, pair.b) == pair.similarity
        children = linkage.tree.children[lowest_common_ancestor(linkage, [pair.a, pair.b]) - linkage.n]
        for child in children.tolist():
            rows = leaf_rows(linkage, child)
            sums = vectors[rows] @ vectors[rows].sum(axis=0)
            (typical,) = {pair.a, pair.b} & set(rows.tolist())
            assert sums[rows.tolist().index(typical)] == pytest.approx(sums.max(), abs=1e-4)


@settings(deadline=None)
@given(GROWN, THRESHOLDS)
def test_the_threshold_decides_about_each_borderline_pair(world: tuple[Linkage, np.ndarray], threshold: float) -> None:
    linkage, vectors = world
    labels = cut(linkage, threshold)
    pairs = borderline_pairs(linkage, vectors, threshold, 16, NOBODY)
    for pair in pairs:
        assert (labels[pair.a] == labels[pair.b]) == (pair.similarity >= threshold)
        moved = cut(linkage, pair.similarity)
        assert moved[pair.a] == moved[pair.b]
    assert {pair.similarity >= threshold for pair in pairs} == set((linkage.similarities >= threshold).tolist())


@settings(deadline=None)
@given(GROWN, THRESHOLDS, st.data())
def test_judged_pairs_are_not_returned_again(
    world: tuple[Linkage, np.ndarray], threshold: float, data: st.DataObject
) -> None:
    linkage, vectors = world
    every = borderline_pairs(linkage, vectors, threshold, 20, NOBODY)
    judged = data.draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    left = borderline_pairs(linkage, vectors, threshold, 20, frozenset((pair.a, pair.b) for pair in judged))
    assert left == [pair for pair in every if pair not in judged]


def answers(truth: float, count: int, seed: int) -> tuple[list[float], list[bool]]:
    """Answers of somebody whose threshold is `truth`, as doubtful as the model says."""
    random = np.random.default_rng(seed)
    similarities = truth + random.uniform(-0.06, 0.06, count)
    same = random.random(count) < 1 / (1 + np.exp(-(similarities - truth) / JUDGEMENT_SCALE))
    return similarities.tolist(), same.tolist()


@pytest.mark.parametrize("count", [12, 60])
def test_planted_answers_are_recovered_within_the_stated_uncertainty(count: int) -> None:
    errors = []
    for seed in range(60):
        truth = 0.6 + 0.005 * seed
        estimate = estimate_threshold(*answers(truth, count, seed))
        assert estimate is not None
        assert estimate.answers == count
        errors.append((estimate.threshold - truth) / estimate.uncertainty)
    assert np.mean(np.abs(errors) < 2) >= 0.9
    assert abs(np.mean(errors)) < 0.5


def test_more_answers_make_the_estimate_more_certain() -> None:
    few, many = estimate_threshold(*answers(0.8, 10, 1)), estimate_threshold(*answers(0.8, 200, 1))
    assert few is not None
    assert many is not None
    assert many.uncertainty < few.uncertainty / 2


def test_the_estimate_is_between_different_and_same_pairs() -> None:
    estimate = estimate_threshold([0.7, 0.74, 0.82, 0.86], [False, False, True, True])
    assert estimate is not None
    assert estimate.threshold == pytest.approx(0.78, abs=1e-3)
    assert 0 < estimate.uncertainty < 0.05


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 1), st.booleans()), max_size=12))
def test_an_estimate_is_always_a_possible_threshold_or_none(judged: list[tuple[float, bool]]) -> None:
    estimate = estimate_threshold([similarity for similarity, _ in judged], [same for _, same in judged])
    if len(judged) < 4 or len({same for _, same in judged}) < 2:
        assert estimate is None
        return
    assert estimate is not None
    assert -1 <= estimate.threshold <= 1
    assert 0 < estimate.uncertainty < 1
