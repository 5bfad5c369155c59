"""Placement of new assets on a map that was fitted without them, and how well a map preserves neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 15
REFIT_SHARE = 0.1
BLOCK_VALUES = 2**24  # 64 MB of float32
STRIDE = 32
SCALE_NEIGHBOUR = 3
MIN_COSINE_DISTANCE = 1e-3


def place_points(
    new_vectors: NDArray[np.float32],
    vectors: NDArray[np.float32],
    coordinates: NDArray[np.float32],
    neighbours: int = NEIGHBOURS,
) -> NDArray[np.float32]:
    """Coordinates (m, 2) float32 for `new_vectors` (m, d) on a map that has `vectors` (n, d) at `coordinates` (n, 2).

    Vectors are unit float32. Each new point goes where most of its nearest vectors are close together, not into the
    void between two groups of them: neighbours are weighted by the inverse square of their cosine distance (Shepard
    1968), and from the point of highest density, by a Gaussian kernel as wide as their typical distance, one step of
    mean shift is taken (Fukunaga and Hostetler 1975). On an empty map everything is placed at the origin.
    """
    placed = np.zeros((len(new_vectors), 2), np.float32)
    if len(vectors) == 0:
        return placed
    for block in row_blocks(len(new_vectors), len(vectors)):
        similarity = new_vectors[block] @ vectors.T
        nearest = top_columns(similarity, min(neighbours, len(vectors)))
        distance = 1 - np.take_along_axis(similarity, nearest, axis=1).astype(np.float64)
        weights = 1 / np.maximum(distance, MIN_COSINE_DISTANCE) ** 2
        placed[block] = _densest_points(coordinates[nearest].astype(np.float64), weights)
    return placed


def refit_suggested(placed: int, fitted: int) -> bool:
    """Whether more assets were placed than a tenth of those that the map was fitted with.

    Placement puts new assets among what is there. A new kind of picture gets no area of its own: it piles up on the
    least dissimilar pictures, and beyond a tenth such a pile can be as large as the groups that people know.
    """
    return placed > REFIT_SHARE * fitted


def neighbour_recall(
    vectors: NDArray[np.float32],
    coordinates: NDArray[np.float32],
    rows: NDArray[np.intp],
    neighbours: int = NEIGHBOURS,
) -> float:
    """The share (0–1) of the nearest neighbours among `vectors` (n, d) that are also nearest at `coordinates` (n, 2).

    The mean over `rows` (m,), with `neighbours` each, fewer than n. Comparing a map with placed assets to one fitted
    with them shows what placement costs. NaN without rows.
    """
    recalled = []
    for block in row_blocks(len(rows), len(vectors)):
        by_vector = _nearest_by_vector(vectors, rows[block], neighbours)
        on_map = _nearest_on_map(coordinates, rows[block], neighbours)
        recalled.append((by_vector[:, :, None] == on_map[:, None, :]).any(axis=2).ravel())
    return float(np.concatenate(recalled).mean()) if recalled else float("nan")


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of `rows` such that each block by `columns` float32 values stays within 64 MB."""
    step = max(1, BLOCK_VALUES // columns)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def top_columns(values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """The columns (b, count) of the largest of `values` (b, n) in each row, the largest first.

    Columns are put into groups of 32, those a fixed stride apart. The `count` largest values are in the `count` groups
    with the largest maxima, so only these are searched: several times faster than partitioning whole rows.
    """
    groups = values.shape[1] // STRIDE
    if groups <= count:
        candidates = np.broadcast_to(np.arange(values.shape[1]), values.shape)
    else:
        maxima = values[:, : groups * STRIDE].reshape(len(values), STRIDE, groups).max(axis=1)
        best = np.argpartition(maxima, groups - count, axis=1)[:, groups - count :]
        within = (best[:, :, None] + np.arange(STRIDE) * groups).reshape(len(values), -1)
        rest = np.arange(groups * STRIDE, values.shape[1])
        candidates = np.concatenate([within, np.broadcast_to(rest, (len(values), len(rest)))], axis=1)
    order = np.argsort(-np.take_along_axis(values, candidates, axis=1), axis=1)[:, :count]
    return np.take_along_axis(candidates, order, axis=1)


def _densest_points(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The densest point (m, 2) of each m among its `points` (m, k, 2) with `weights` (m, k)."""
    distances = np.linalg.norm(points[:, :, None] - points[:, None, :], axis=3)
    reach = np.sort(distances, axis=2)[:, :, min(SCALE_NEIGHBOUR, points.shape[1] - 1)]
    width = np.maximum(np.median(reach, axis=1), np.finfo(np.float32).tiny)
    kernel = np.exp(-0.5 * (distances / width[:, None, None]) ** 2)
    densest = (kernel @ weights[:, :, None])[:, :, 0].argmax(axis=1)
    pull = weights * kernel[np.arange(len(points)), densest]
    return np.asarray((points * pull[:, :, None]).sum(axis=1) / pull.sum(axis=1)[:, None])


def _nearest_by_vector(vectors: NDArray[np.float32], rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    similarity = vectors[rows] @ vectors.T
    similarity[np.arange(len(rows)), rows] = -np.inf
    return top_columns(similarity, count)


def _nearest_on_map(coordinates: NDArray[np.float32], rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    dx, dy = (coordinates[rows, axis, None] - coordinates[:, axis] for axis in (0, 1))
    nearness = -(dx * dx + dy * dy)
    nearness[np.arange(len(rows)), rows] = -np.inf
    return top_columns(nearness, count)
