"""The map of a collection: UMAP of all its vectors, in a frame that stays the same from fit to fit."""

from __future__ import annotations

import warnings
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
FIRST_LEARNING_RATE, REFIT_LEARNING_RATE = 1.0, 0.05
NOISE, HALVINGS = 1e-5, 40
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
    and is aligned to it, so that people find pictures where they were. They move much less far than from scratch, and
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
        coordinates = frame_map(_layout(vectors, neighbours, start, seed, listener))
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


def turn_to_square(coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """The map (n, 2), turned so that it is as wide as high.

    UMAP stretches each axis of what it starts from to 10 units, which then leaves the proportions as they are. There is
    always such an angle: after a quarter turn, width and height have changed places.
    """
    low, high, turned = 0.0, np.pi / 2, coordinates
    is_wide = np.subtract(*np.ptp(coordinates, axis=0)) > 0
    for _ in range(HALVINGS):
        angle = (low + high) / 2
        turned = coordinates @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        still = (np.subtract(*np.ptp(turned, axis=0)) > 0) == is_wide
        low, high = (angle, high) if still else (low, angle)
    return np.asarray(turned, np.float32)


def _layout(
    vectors: NDArray[np.float32],
    neighbours: _Neighbours,
    earlier: NDArray[np.float32] | None,
    seed: int,
    listener: ProgressListener,
) -> NDArray[np.float32]:
    """UMAP of these neighbours, from an earlier map or the two principal components."""
    epochs = EPOCHS_LARGE if len(vectors) > LARGE else EPOCHS_SMALL
    listener(Progress(LAYOUT_PHASE, 0, epochs))
    # Compiles for seconds, the first time for half a minute.
    from umap import UMAP  # type: ignore[import-untyped]

    start = turn_to_square(principal_components(vectors) if earlier is None else earlier)
    # Points that start together are never separated.
    noise = np.random.default_rng(seed).normal(scale=NOISE * (float(np.ptp(start)) or 1.0), size=start.shape)
    warnings.filterwarnings("ignore", "precomputed_knn", module="umap")  # of what a later transform() would lack
    umap = UMAP(
        n_neighbors=NEIGHBOURS,
        metric="cosine",
        precomputed_knn=(neighbours.rows, neighbours.distances),
        disconnection_distance=np.inf,
        init=start + noise.astype(np.float32),
        n_epochs=epochs,
        learning_rate=FIRST_LEARNING_RATE if earlier is None else REFIT_LEARNING_RATE,
        spread=SPREAD,
        min_dist=MIN_DISTANCE,
        random_state=seed,
        n_jobs=1,
        tqdm_kwds=_progress_bar(listener, epochs),
    )
    return np.asarray(umap.fit_transform(vectors), np.float32)


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
