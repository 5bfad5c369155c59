"""The map of a collection: UMAP of all its vectors, in a frame that stays the same from fit to fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.atlas.placement import NEIGHBOURS, blocks, largest_in_rows
from core.errors import ClusterError
from core.records.jobs import Progress, ProgressListener, ignore

SEED = 42
NEIGHBOURS_PHASE, LAYOUT_PHASE = "map: neighbours", "map: layout"
LARGE, ROUNDS_LARGE, ROUNDS_SMALL = 10_000, 200, 500
SPREAD, MIN_DISTANCE = 1.0, 0.1
# How far a start spans, and how fast points move at first. UMAP starts within 10 units; its layouts end at about 30.
FRESH, AGAIN = (10.0, 1.0), (30.0, 0.25)
NOISE = 1e-4
WIDEST_GAP, CLOSING_ROUNDS, CLOSED_FROM = 0.06, 8, 64
REPORT_EVERY_S = 0.25


def fit_map(
    vectors: NDArray[np.float32],
    *,
    start: NDArray[np.float32] | None = None,
    seed: int = SEED,
    listener: ProgressListener = ignore,
) -> NDArray[np.float32]:
    """Coordinates (n, 2) float32 for `vectors` (n, d), unit float32, by UMAP on cosine (McInnes et al. 2018).

    Exact nearest neighbours, found here, are laid out by umap-learn from the two main axes of the vectors: those cost
    less than UMAP's spectral start, keep as many neighbours, and work for any vectors. The same vectors and seed give
    the same map on the same machine. It fills [-1, 1]: the longer side from end to end, the widest spread level.

    `start` (n, 2) is an earlier map, newcomers placed on it: the layout begins there, in smaller steps, and is laid
    over it, so that people find pictures where they were. They move a tenth as far as from scratch, and what is new
    still finds ground of its own.

    16 vectors and fewer are shown by their two main axes. `listener` hears rows, then rounds of the layout; what it
    raises ends the work and passes through. Raises ClusterError for vectors that are not (n, d ≥ 2) or not finite.
    """
    _check(vectors, start)
    if len(vectors) == 0:
        return np.zeros((0, 2), np.float32)
    if len(vectors) <= NEIGHBOURS + 1:
        coordinates = framed(_few(vectors))
    else:
        rows, distances = _neighbours(vectors, listener)
        begin = (main_axes(vectors), *FRESH) if start is None else (start, *AGAIN)
        coordinates = framed(_layout(rows, distances, *begin, seed, listener))
    return coordinates if start is None else aligned(coordinates, start, np.arange(len(start)))


def aligned(new: NDArray[np.float32], old: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """The map `new` (n, 2), turned, mirrored, moved and scaled so that its `rows` (k,) lie on `old` (k, 2).

    Orthogonal Procrustes (Schönemann 1966), but with the scale that gives both the same size: the least-squares scale
    is smaller, so a map would shrink with every refit. Where `old` is a single place, `new` stays as it is.
    """
    if len(rows) == 0 or not np.ptp(old, axis=0).any():
        return new
    common = new[rows].astype(np.float64)
    from_centre, to_centre = common.mean(axis=0), old.mean(axis=0, dtype=np.float64)
    before, after = common - from_centre, old - to_centre
    left, _, right = np.linalg.svd(before.T @ after)
    scale = np.linalg.norm(after) / (np.linalg.norm(before) or 1.0)
    return np.asarray((new - from_centre) @ (left @ right) * scale + to_centre, np.float32)


def framed(coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map (n, 2), n ≥ 1, in [-1, 1]: its widest spread level, the longer tails to the right and up."""
    centred = coordinates - coordinates.mean(axis=0, dtype=np.float64)
    turned = centred @ np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    turned *= np.where((turned**3).sum(axis=0) < 0, -1, 1)
    low, high = turned.min(axis=0), turned.max(axis=0)
    return np.asarray((turned - (low + high) / 2) / ((high - low).max() / 2 or 1.0), np.float32)


def closed_up(coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map (n, 2) with empty strips, from edge to edge, narrowed to 6 % of what is then its width or height.

    How far from the others UMAP leaves a group that shares no neighbours with them means nothing, and one that drifted
    off would leave them no room. Fewer than 64 points stay where they are: all lie apart.
    """
    if len(coordinates) < CLOSED_FROM:
        return coordinates
    closed = np.empty_like(coordinates)
    for axis, values in enumerate(coordinates.T.astype(np.float64)):
        order = np.argsort(values, kind="stable")
        gaps = np.diff(values[order], prepend=values[order[0]])
        for _ in range(CLOSING_ROUNDS):
            gaps = np.minimum(gaps, WIDEST_GAP * gaps.sum())
        closed[order, axis] = np.cumsum(gaps)
    return closed


def main_axes(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The two principal components (n, 2) of `vectors` (n, d), n ≥ 1."""
    centred = vectors - vectors.mean(axis=0)
    return np.asarray(centred @ np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1], np.float32)


def _check(vectors: NDArray[np.float32], start: NDArray[np.float32] | None) -> None:
    if vectors.ndim != 2 or vectors.shape[1] < 2:
        raise ClusterError(f"a map needs vectors of shape (n, 2 or more), not {vectors.shape}: embed them again")
    if not np.isfinite(vectors).all():
        row = int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])
        raise ClusterError(f"the vector in row {row} is not finite: embed that picture again")
    if start is not None and start.shape != (len(vectors), 2):
        raise ClusterError(f"a map of {len(vectors)} pictures cannot start from {start.shape}: place newcomers first")


def _few(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The two main axes, with a small circle added that takes equal vectors apart."""
    axes = main_axes(vectors)
    angles = 2 * np.pi * np.arange(len(vectors)) / len(vectors)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    return np.asarray(axes + 0.02 * max(float(np.ptp(axes)), 1e-3) * circle, np.float32)


def _neighbours(
    vectors: NDArray[np.float32], listener: ProgressListener
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The 15 nearest rows of each, itself first, and their cosine distances, both (n, 15)."""
    n = len(vectors)
    rows, distances = np.empty((n, NEIGHBOURS), np.int32), np.empty((n, NEIGHBOURS), np.float32)
    for block in blocks(n, n):
        listener(Progress(NEIGHBOURS_PHASE, block.start, n))
        similarity = vectors[block] @ vectors.T
        similarity[np.arange(len(similarity)), np.arange(n)[block]] = 2.0  # before its equals
        rows[block] = largest_in_rows(similarity, NEIGHBOURS)
        distances[block] = 1 - np.take_along_axis(similarity, rows[block], axis=1)
    listener(Progress(NEIGHBOURS_PHASE, n, n))
    return rows, np.maximum(distances, 0)


def _layout(
    rows: NDArray[np.int32],
    distances: NDArray[np.float32],
    start: NDArray[np.float32],
    span: float,
    step: float,
    seed: int,
    listener: ProgressListener,
) -> NDArray[np.float32]:
    """UMAP's graph of these neighbours, laid out from `start`."""
    rounds = ROUNDS_LARGE if len(rows) > LARGE else ROUNDS_SMALL
    listener(Progress(LAYOUT_PHASE, 0, rounds))
    # Compiles for seconds, the first time for half a minute.
    from umap import layouts, umap_  # type: ignore[import-untyped]

    random = np.random.RandomState(seed)
    graph = umap_.fuzzy_simplicial_set(rows, NEIGHBOURS, random, "cosine", knn_indices=rows, knn_dists=distances)[0]
    graph.data[graph.data < graph.data.max() / rounds] = 0  # no round would come to these
    graph.eliminate_zeros()
    edges, points = graph.tocoo(), _scattered(start, span, random)
    a, b = umap_.find_ab_params(SPREAD, MIN_DISTANCE)
    laid = layouts.optimize_layout_euclidean(
        points,
        points,
        edges.row,
        edges.col,
        rounds,
        len(points),
        umap_.make_epochs_per_sample(edges.data, rounds),
        a,
        b,
        random.randint(np.iinfo(np.int32).min, np.iinfo(np.int32).max, 3).astype(np.int64),
        initial_alpha=step,
        move_other=True,
        tqdm_kwds={
            "disable": False,
            "file": _Rounds(listener, rounds),
            "bar_format": "{n}",
            "miniters": 1,
            "mininterval": REPORT_EVERY_S,
        },
    )
    return np.asarray(laid, np.float32)


def _scattered(start: NDArray[np.float32], span: float, random: np.random.RandomState) -> NDArray[np.float32]:
    """The start at the size that UMAP works in, with some noise: what begins at one point is never pushed apart."""
    scaled = (start - start.min(axis=0)) * (span / (float(np.ptp(start, axis=0).max()) or 1.0))
    return np.asarray(scaled + random.normal(scale=NOISE, size=start.shape), np.float32)


class _Rounds:
    """Where umap-learn's progress bar writes the number of rounds that are done."""

    def __init__(self, listener: ProgressListener, total: int) -> None:
        self._listener, self._total, self._over = listener, total, False

    def write(self, text: str) -> None:
        if self._over or not text.strip().isdigit():
            return
        self._over = True  # if the listener ends the work, the bar still writes once more
        self._listener(Progress(LAYOUT_PHASE, int(text), self._total))
        self._over = False

    def flush(self) -> None:
        """Nothing is held back."""
