from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import fastcluster
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, is_valid_linkage
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering

from core.clusters.tree import merging
from core.clusters.tree.cut import cut
from core.clusters.tree.linkage import Linkage, average_linkage
from core.clusters.tree.nearest_shortlist import LIST_LENGTH, NearestShortlist, shortlists
from core.errors import ClusterError
from core.records.jobs import Progress
from core.store.lance.collections import Collections

Vectors = NDArray[np.float32]
GAP = 1e-6  # thresholds to compare at lie midway between merge heights further apart than this


def unit(rows: NDArray[np.floating]) -> Vectors:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def planted(n: int, d: int = 64, clusters: int = 40, seed: int = 0) -> Vectors:
    """Clusters with an average similarity around 0.8 within and 0.3 between them."""
    rng = np.random.default_rng(seed)
    centres = 0.6 * rng.standard_normal(d) + 0.8 * rng.standard_normal((clusters, d))
    return unit(centres[rng.integers(0, clusters, n)] + 0.45 * rng.standard_normal((n, d)))


def blob(n: int, d: int = 64, offset: float = 0.0, seed: int = 0) -> Vectors:
    """One cloud without structure: the whole sphere, or, with an `offset`, a dense cap of it."""
    return unit(np.random.default_rng(seed).standard_normal((n, d)) + offset)


def duplicates() -> Vectors:
    return blob(60)[np.random.default_rng(1).integers(0, 60, 240)]


def mirrored() -> Vectors:
    """Rows and their mirror images: every similarity but those to the own image comes twice."""
    rows = planted(120)
    return np.concatenate([rows, rows[:, ::-1]])


def near_ties() -> Vectors:
    """30 % of the rows are copies that differ by float32's rounding."""
    rows = planted(210)
    return unit(np.concatenate([rows, rows[:90] + np.random.default_rng(2).normal(0, 1e-8, (90, 64))]))


def even_chain() -> Vectors:
    angles = np.linspace(0, 3, 200)
    return unit(np.column_stack([np.cos(angles), np.sin(angles)]))


def uneven_chain() -> Vectors:
    angles = np.cumsum(np.linspace(1, 2, 200)) / 100
    return unit(np.column_stack([np.cos(angles), np.sin(angles)]))


def cube() -> Vectors:
    return unit(((np.arange(256)[:, None] >> np.arange(8)) & 1) * 2.0 - 1)


def with_zeros() -> Vectors:
    rows = np.concatenate([blob(150, 8), -blob(50, 8), np.zeros((40, 8), np.float32)])
    return rows[np.random.default_rng(3).permutation(len(rows))]


TIED: dict[str, Callable[[], Vectors]] = {
    "exact duplicates": duplicates,
    "mirrored copies": mirrored,
    "near-ties": near_ties,
    "even chain": even_chain,
    "uneven chain": uneven_chain,
    "one dense blob": lambda: blob(300, offset=3.0),
    "orthogonal vectors": lambda: np.eye(64, dtype=np.float32),
    "corners of a cube": cube,
    "zero vectors": with_zeros,
    "all equal": lambda: np.ones((200, 4), np.float32),
    "equal up to rounding": lambda: unit(1 + np.random.default_rng(4).normal(0, 1e-7, (150, 32))),
}


@pytest.fixture(params=TIED.values(), ids=TIED.keys())
def tied(request: pytest.FixtureRequest) -> Vectors:
    vectors: Vectors = request.param()
    return vectors


@pytest.fixture(scope="module")
def demo_vectors(demo_data: Path) -> Vectors:
    return Collections(demo_data / "collections").open("demo").snapshot().vectors


def cosines(vectors: Vectors) -> NDArray[np.float64]:
    rows = vectors.astype(np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, lengths, where=lengths > 0, out=np.zeros_like(rows))
    return rows @ rows.T


def worst_choice(linkage: Linkage, vectors: Vectors) -> float:
    """How much closer than the pair that was merged another pair was, at worst: by all average similarities."""
    n = len(vectors)
    average = np.full((2 * n - 1, 2 * n - 1), -np.inf)
    average[:n, :n] = cosines(vectors)
    np.fill_diagonal(average, -np.inf)
    size, worst = np.ones(2 * n - 1), 0.0
    for i, (a, b) in enumerate(linkage.z[:, :2].astype(int)):
        merged, new = average[a, b], n + i
        worst = max(worst, average.max() - merged, abs(merged - linkage.similarities[i]))
        row = (size[a] * average[a] + size[b] * average[b]) / (size[a] + size[b])
        row[[a, b]] = -np.inf
        average[new], average[:, new] = row, row
        average[[a, b]], average[:, [a, b]] = -np.inf, -np.inf
        size[new] = size[a] + size[b]
    return worst


def same_partition(a: NDArray[np.integer], b: NDArray[np.integer]) -> bool:
    pairs = len(set(zip(a.tolist(), b.tolist(), strict=True)))
    return pairs == len(set(a.tolist())) == len(set(b.tolist()))


def clear_distances(linkage: Linkage, count: int) -> list[float]:
    """Up to `count` distances spread over the dendrogram, midway between heights that differ by more than GAP."""
    heights = linkage.z[:, 2]
    gaps = np.flatnonzero(np.diff(heights) > GAP)
    chosen = gaps[np.linspace(0, len(gaps) - 1, min(count, len(gaps))).astype(int)]
    distances: list[float] = ((heights[chosen] + heights[chosen + 1]) / 2).tolist()
    return distances


def assert_same_as_scikit_learn(vectors: Vectors, memory: Path) -> None:
    linkage = average_linkage(vectors)
    distances = clear_distances(linkage, 50)
    assert len(distances) == 50
    for distance in distances:
        peer = AgglomerativeClustering(
            n_clusters=None, metric="cosine", linkage="average", distance_threshold=distance, memory=str(memory)
        )
        assert same_partition(cut(linkage, 1 - distance), peer.fit(vectors).labels_), distance


def test_the_partition_is_scikit_learns_at_fifty_thresholds_on_the_demo_collection(
    demo_vectors: Vectors, tmp_path: Path
) -> None:
    assert len(demo_vectors) > 400
    assert_same_as_scikit_learn(demo_vectors, tmp_path)


@pytest.mark.parametrize("vectors", [planted(2000), blob(2000)], ids=["planted clusters", "uniform"])
def test_the_partition_is_scikit_learns_at_fifty_thresholds(vectors: Vectors, tmp_path: Path) -> None:
    assert_same_as_scikit_learn(vectors, tmp_path)


@pytest.mark.parametrize("vectors", [planted(2000), blob(2000), blob(1000, 8, 2.0)], ids=["planted", "uniform", "cap"])
def test_heights_are_fastclusters(vectors: Vectors) -> None:
    peer = fastcluster.linkage(pdist(vectors.astype(np.float64), "cosine"), "average")
    assert np.abs(average_linkage(vectors).z[:, 2] - peer[:, 2]).max() < 1e-9


def test_every_merge_is_of_a_closest_pair_where_many_tie(tied: Vectors) -> None:
    assert worst_choice(average_linkage(tied), tied) < 1e-6


def test_the_result_is_a_valid_scipy_linkage(tied: Vectors) -> None:
    linkage = average_linkage(tied)
    assert linkage.z.shape == (len(tied) - 1, 4)
    assert is_valid_linkage(linkage.z)
    assert linkage.z[:, 2].min() >= 0
    assert (np.diff(linkage.z[:, 2]) >= 0).all()
    assert (linkage.z[:, 0] < linkage.z[:, 1]).all()
    for distance in clear_distances(linkage, 10):
        assert same_partition(cut(linkage, 1 - distance), fcluster(linkage.z, distance, "distance"))


def test_the_row_order_does_not_matter(tied: Vectors) -> None:
    linkage = average_linkage(tied)
    order = np.random.default_rng(5).permutation(len(tied))
    shuffled = average_linkage(tied[order])
    assert np.array_equal(shuffled.z[:, 2:], linkage.z[:, 2:])
    thresholds = np.concatenate([linkage.similarities, linkage.similarities - 1e-12, np.linspace(-1, 1.1, 20)])
    for threshold in np.unique(thresholds)[:: len(thresholds) // 60 + 1]:
        assert same_partition(cut(shuffled, threshold), cut(linkage, threshold)[order])


@given(hnp.arrays(np.int8, st.tuples(st.integers(2, 24), st.just(3)), elements=st.integers(-2, 2)))
@settings(deadline=None)
def test_vectors_of_small_integers_are_merged_closest_first(rows: NDArray[np.int8]) -> None:
    vectors = rows.astype(np.float32)
    linkage = average_linkage(vectors)
    assert worst_choice(linkage, vectors) < 1e-6
    assert linkage.z[-1, 3] == len(rows)


def test_a_repeated_linkage_is_bitwise_the_same(tied: Vectors) -> None:
    assert np.array_equal(average_linkage(tied).z, average_linkage(tied).z)


@pytest.mark.parametrize("vectors", [planted(1500), blob(1500, offset=3.0)], ids=["planted", "dense blob"])
def test_reduced_precision_changes_nothing(vectors: Vectors, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for precisions in (
        [torch.bfloat16, torch.float32, torch.float64],
        [torch.float32, torch.float64],
        [torch.float64],
    ):
        monkeypatch.setattr(merging, "shortlists", partial(shortlists_in, precisions))
        found.append(average_linkage(vectors).z)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def shortlists_in(
    precisions: list[torch.dtype], means: NDArray[np.float64], device: torch.device
) -> list[NearestShortlist]:
    return [NearestShortlist(means, precision, device) for precision in precisions]


def test_a_search_ends_in_float64_and_uses_float32_only_if_torch_computes_it_exactly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def precisions() -> list[torch.dtype]:
        return [shortlist.precision for shortlist in shortlists(np.eye(2), torch.device("cpu"))]

    assert precisions()[-2:] == [torch.float32, torch.float64]
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: "medium")
    assert precisions()[-1] == torch.float64
    assert torch.float32 not in precisions()


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("size", [3, 40, 900, 3000])
def test_no_cluster_outside_a_list_is_above_its_bound(precision: torch.dtype, size: int) -> None:
    means = planted(size).astype(np.float64)
    shortlist = NearestShortlist(means, precision, torch.device("cpu"))
    means *= np.linspace(0.2, 1, size)[:, None]
    shortlist.refresh(np.arange(size))
    alive = np.arange(0, size, 2) if size > 3 else np.arange(size)
    rows = alive[:: max(1, len(alive) // 200)]
    lists, bounds = shortlist.nearest(rows, alive, lambda: None)
    outside = np.full((len(rows), size), -np.inf)
    outside[:, alive] = means[rows] @ means[alive].T
    np.put_along_axis(outside, lists, -np.inf, axis=1)
    outside[np.arange(len(rows)), rows] = -np.inf
    assert (outside.max(axis=1) <= bounds).all()
    assert ((lists != rows[:, None]).sum(axis=1) == min(LIST_LENGTH, len(alive) - 1)).all()
    assert np.isin(lists, alive).all()


@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_rows_have_no_merges(n: int) -> None:
    linkage = average_linkage(np.ones((n, 4), np.float32))
    assert linkage.z.shape == (0, 4)
    assert linkage.z.dtype == np.float64
    assert linkage.n == n


def test_two_rows_have_one_merge_at_their_distance() -> None:
    z = average_linkage(np.array([[1, 0], [0.6, 0.8]], np.float32)).z
    assert z == pytest.approx(np.array([[0, 1, 0.4, 2]]), abs=1e-7)


def test_vector_norms_do_not_matter() -> None:
    vectors, rng = planted(200), np.random.default_rng(6)
    scaled = vectors * rng.choice([1e-20, 0.5, 3, 1e20], (200, 1)).astype(np.float32)
    assert average_linkage(scaled).z[:, 2] == pytest.approx(average_linkage(vectors).z[:, 2], abs=1e-6)


def test_equal_rows_merge_at_distance_zero_in_a_low_tree() -> None:
    linkage = average_linkage(np.tile(blob(1), (1000, 1)))
    assert (linkage.z[:, 2] == 0).all()
    depth = np.zeros(1999, int)
    for i, (a, b) in enumerate(linkage.z[:, :2].astype(int)):
        depth[1000 + i] = 1 + max(depth[a], depth[b])
    assert depth.max() == 10


def test_minus_zero_is_zero() -> None:
    vectors = np.array([[1, 0], [1, -0.0], [0, 1]], np.float32)
    assert cut(average_linkage(vectors), 1.0).tolist() == [0, 0, 1]


def test_zero_vectors_are_similar_to_nothing_and_merge_at_distance_one() -> None:
    vectors = np.array([[0, 0], [1, 0], [0, 0], [1, 0.1]], np.float32)
    linkage = average_linkage(vectors)
    assert linkage.z[1:, 2].tolist() == [1, 1]
    assert cut(linkage, 0.001).tolist() == [1, 0, 2, 0]
    assert cut(linkage, 0.0).tolist() == [0, 0, 0, 0]


def test_many_ties_take_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = []
    merge = merging.ReciprocalMerger._merge
    monkeypatch.setattr(merging.ReciprocalMerger, "_merge", lambda *args: (rounds.append(1), merge(*args)))
    average_linkage(np.ones((20_000, 4), np.float32))
    assert not rounds
    average_linkage(even_chain())
    assert len(rounds) < 40


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_not_finite_are_refused_by_row(bad: float) -> None:
    vectors = blob(20)
    vectors[[3, 5], 1] = bad
    with pytest.raises(ClusterError, match=r"2 of 20 vectors hold NaN or infinity \(rows 3, 5\): embed these pictures"):
        average_linkage(vectors)


def test_only_the_first_of_many_bad_rows_are_listed() -> None:
    with pytest.raises(ClusterError, match=r"9 of 9 .* \(rows 0, 1, 2, 3, 4, …\)"):
        average_linkage(np.full((9, 2), np.nan, np.float32))


@pytest.mark.parametrize("shape", [(3,), (3, 0), (2, 2, 2)])
def test_vectors_that_are_not_a_matrix_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ClusterError, match=r"vectors have shape .*, expected \(n, d\)"):
        average_linkage(np.zeros(shape, np.float32))


def test_a_listener_receives_the_number_of_merges_a_few_times_a_second() -> None:
    reports: list[Progress] = []
    moments = iter(np.arange(0, 1e6, 0.1))
    vectors = np.concatenate([planted(500), planted(500)[:100]])
    average_linkage(vectors, listener=reports.append, clock=lambda: float(next(moments)))
    assert {p.phase for p in reports} == {"link"}
    assert {p.total for p in reports} == {599}
    assert [p.done for p in reports] == sorted(p.done for p in reports)
    assert reports[0].done == 100
    assert reports[1].remaining_s == pytest.approx((599 - reports[1].done) / reports[1].rate)
    assert (reports[-1].done, reports[-1].remaining_s) == (599, 0)
    assert len(reports) > 3


def test_with_a_stopped_clock_the_start_and_the_end_are_reported() -> None:
    reports: list[Progress] = []
    average_linkage(planted(300), listener=reports.append, clock=lambda: 5.0)
    assert [(p.done, p.rate, p.remaining_s) for p in reports] == [(0, 0.0, None), (299, 0.0, None)]


def test_an_exception_from_a_listener_stops_the_linkage() -> None:
    class Stop(Exception):
        pass

    def listener(progress: Progress) -> None:
        if progress.done:
            raise Stop(progress.done)

    moments = iter(range(1_000_000))
    with pytest.raises(Stop, match=r"\d+"):
        average_linkage(planted(500), listener=listener, clock=lambda: next(moments))
