"""The map of a collection: UMAP of all its vectors, in a frame that stays the same from fit to fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.atlas.placement import NEIGHBOURS, row_blocks, top_columns
from core.errors import ClusterError
from core.records.jobs import Progress, ProgressListener, ignore

SEED = 42
NEIGHBOURS_PHASE, LAYOUT_PHASE = "map: neighbours", "map: layout"
LARGE, EPOCHS_LARGE, EPOCHS_SMALL = 10_000, 200, 500
SPREAD, MIN_DISTANCE = 1.0, 0.1
# UMAP starts within 10 units; its layouts end at about 30.
FIRST_EXTENT, FIRST_LEARNING_RATE = 10.0, 1.0
REFIT_EXTENT, REFIT_LEARNING_RATE = 30.0, 0.25
NOISE = 1e-4
MAX_GAP_SHARE, GAP_ITERATIONS, MIN_POINTS_FOR_GAPS = 0.06, 8, 64
REPORT_INTERVAL_S = 0.25


def fit_map(
    vectors: NDArray[np.float32],
    *,
    start: NDArray[np.float32] | None = None,
    seed: int = SEED,
    listener: ProgressListener = ignore,
) -> NDArray[np.float32]:
    """Coordinates (n, 2) float32 for `vectors` (n, d), unit float32, by UMAP on cosine (McInnes et al. 2018).

    Exact nearest neighbours are computed here and laid out by umap-learn, starting from the vectors' two principal
    components: these are cheaper than UMAP's spectral initialisation, preserve as many neighbours, and work for any
    vectors. The same vectors and seed give the same map on the same machine. It fills [-1, 1] along its longer side,
    with the direction of greatest variance horizontal.

    `start` (n, 2) is an earlier map with new assets placed on it: the layout starts there, with a lower learning rate,
    and is aligned to it, so that people find pictures where they were. They move a tenth as far as from scratch, and
    new pictures can still get an area of their own.

    16 vectors and fewer are shown by their two principal components. `listener` receives rows, then epochs of the
    layout; an exception it raises stops the fit and propagates. Raises ClusterError for vectors that are not
    (n, d ≥ 2) or not finite.
    """
    _check(vectors, start)
    if len(vectors) == 0:
        return np.zeros((0, 2), np.float32)
    if len(vectors) <= NEIGHBOURS + 1:
        coordinates = frame_map(_without_fit(vectors))
    else:
        neighbours = _nearest_neighbours(vectors, listener)
        coordinates = frame_map(_layout(neighbours, _layout_start(vectors, start), seed, listener))
    return coordinates if start is None else align_map(coordinates, start, np.arange(len(start)))


def align_map(new: NDArray[np.float32], old: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """The map `new` (n, 2), rotated, mirrored, moved and scaled so that its `rows` (k,) match `old` (k, 2).

    Orthogonal Procrustes (Schönemann 1966), but with the scale that gives both the same size: the least-squares scale
    is smaller, so a map would shrink with every refit. If `old` is a single point, `new` is returned unchanged.
    """
    if len(rows) == 0 or not np.ptp(old, axis=0).any():
        return new
    common = new[rows].astype(np.float64)
    from_centre, to_centre = common.mean(axis=0), old.mean(axis=0, dtype=np.float64)
    before, after = common - from_centre, old - to_centre
    left, _, right = np.linalg.svd(before.T @ after)
    scale = np.linalg.norm(after) / (np.linalg.norm(before) or 1.0)
    return np.asarray((new - from_centre) @ (left @ right) * scale + to_centre, np.float32)


def frame_map(coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map (n, 2), n ≥ 1, in [-1, 1]: greatest variance horizontal, the longer tails to the right and up."""
    centred = coordinates - coordinates.mean(axis=0, dtype=np.float64)
    rotated = centred @ np.linalg.eigh(centred.T @ centred)[1][:, ::-1]
    rotated *= np.where((rotated**3).sum(axis=0) < 0, -1, 1)
    low, high = rotated.min(axis=0), rotated.max(axis=0)
    return np.asarray((rotated - (low + high) / 2) / ((high - low).max() / 2 or 1.0), np.float32)


def close_gaps(coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map (n, 2) with empty strips from edge to edge narrowed to 6 % of the resulting width or height.

    How far UMAP moves a group that shares no neighbours with the others is meaningless, and a group that drifted off
    would leave them no room. Maps of fewer than 64 points are unchanged: all their points are far apart.
    """
    if len(coordinates) < MIN_POINTS_FOR_GAPS:
        return coordinates
    closed = np.empty_like(coordinates)
    for axis, values in enumerate(coordinates.T.astype(np.float64)):
        order = np.argsort(values, kind="stable")
        gaps = np.diff(values[order], prepend=values[order[0]])
        for _ in range(GAP_ITERATIONS):
            gaps = np.minimum(gaps, MAX_GAP_SHARE * gaps.sum())
        closed[order, axis] = np.cumsum(gaps)
    return closed


def principal_components(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first two principal components (n, 2) of `vectors` (n, d), n ≥ 1."""
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


def _without_fit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first two principal components plus a small circle, which separates equal vectors."""
    components = principal_components(vectors)
    angles = 2 * np.pi * np.arange(len(vectors)) / len(vectors)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    return np.asarray(components + 0.02 * max(float(np.ptp(components)), 1e-3) * circle, np.float32)


@dataclass(frozen=True, eq=False)
class _Neighbours:
    """The 15 nearest rows of each row, itself first, and their cosine distances, both (n, 15)."""

    rows: NDArray[np.int32]
    distances: NDArray[np.float32]


def _nearest_neighbours(vectors: NDArray[np.float32], listener: ProgressListener) -> _Neighbours:
    n = len(vectors)
    rows, distances = np.empty((n, NEIGHBOURS), np.int32), np.empty((n, NEIGHBOURS), np.float32)
    for block in row_blocks(n, n):
        listener(Progress(NEIGHBOURS_PHASE, block.start, n))
        similarity = vectors[block] @ vectors.T
        similarity[np.arange(len(similarity)), np.arange(n)[block]] = 2.0  # itself before equal vectors
        rows[block] = top_columns(similarity, NEIGHBOURS)
        distances[block] = 1 - np.take_along_axis(similarity, rows[block], axis=1)
    listener(Progress(NEIGHBOURS_PHASE, n, n))
    return _Neighbours(rows, np.maximum(distances, 0))


@dataclass(frozen=True, eq=False)
class _LayoutStart:
    """Where a layout starts: coordinates (n, 2), the extent they are scaled to, and the initial learning rate."""

    coordinates: NDArray[np.float32]
    extent: float
    learning_rate: float

    def points(self, random: np.random.RandomState) -> NDArray[np.float32]:
        """The scaled coordinates with some noise, because points that start together are never separated."""
        centred = self.coordinates - self.coordinates.min(axis=0)
        scaled = centred * (self.extent / (float(np.ptp(self.coordinates, axis=0).max()) or 1.0))
        return np.asarray(scaled + random.normal(scale=NOISE, size=scaled.shape), np.float32)


def _layout_start(vectors: NDArray[np.float32], earlier: NDArray[np.float32] | None) -> _LayoutStart:
    if earlier is None:
        return _LayoutStart(principal_components(vectors), FIRST_EXTENT, FIRST_LEARNING_RATE)
    return _LayoutStart(earlier, REFIT_EXTENT, REFIT_LEARNING_RATE)


def _layout(neighbours: _Neighbours, start: _LayoutStart, seed: int, listener: ProgressListener) -> NDArray[np.float32]:
    """UMAP's graph of these neighbours, laid out from `start`."""
    rows, distances = neighbours.rows, neighbours.distances
    epochs = EPOCHS_LARGE if len(rows) > LARGE else EPOCHS_SMALL
    listener(Progress(LAYOUT_PHASE, 0, epochs))
    # Compiles for seconds, the first time for half a minute.
    from umap import layouts, umap_  # type: ignore[import-untyped]

    random = np.random.RandomState(seed)
    graph = umap_.fuzzy_simplicial_set(rows, NEIGHBOURS, random, "cosine", knn_indices=rows, knn_dists=distances)[0]
    graph.data[graph.data < graph.data.max() / epochs] = 0  # these would be sampled in no epoch
    graph.eliminate_zeros()
    edges, points = graph.tocoo(), start.points(random)
    a, b = umap_.find_ab_params(SPREAD, MIN_DISTANCE)
    result = layouts.optimize_layout_euclidean(
        head_embedding=points,
        tail_embedding=points,
        head=edges.row,
        tail=edges.col,
        n_epochs=epochs,
        n_vertices=len(points),
        epochs_per_sample=umap_.make_epochs_per_sample(edges.data, epochs),
        a=a,
        b=b,
        rng_state=random.randint(np.iinfo(np.int32).min, np.iinfo(np.int32).max, 3).astype(np.int64),
        initial_alpha=start.learning_rate,
        move_other=True,
        tqdm_kwds=_progress_bar(listener, epochs),
    )
    return np.asarray(result, np.float32)


def _progress_bar(listener: ProgressListener, epochs: int) -> dict[str, Any]:
    """Options for umap-learn's tqdm progress bar that make it report to a listener."""
    file = _EpochReports(listener, epochs)
    return {"disable": False, "file": file, "bar_format": "{n}", "miniters": 1, "mininterval": REPORT_INTERVAL_S}


class _EpochReports:
    """A file to which umap-learn's progress bar writes the number of completed epochs."""

    def __init__(self, listener: ProgressListener, total: int) -> None:
        self._listener, self._total, self._stopped = listener, total, False

    def write(self, text: str) -> None:
        if self._stopped or not text.strip().isdigit():
            return
        self._stopped = True  # if the listener raises, the bar still writes once more
        self._listener(Progress(LAYOUT_PHASE, int(text), self._total))
        self._stopped = False

    def flush(self) -> None:
        """Nothing is buffered."""
