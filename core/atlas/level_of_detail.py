"""Level of detail: a sample of a map's points that a screen can show, over the density of all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ClusterError

Box = tuple[float, float, float, float]

LEVELS = 11
FINEST_GRID = 2 ** (LEVELS - 1)
DENSITY_GRID = 96


@dataclass(frozen=True, eq=False)
class MapSample:
    """The points and the density to draw for a part of a map.

    `rows` (k,) int32 are the points to draw, the most important first; `inside_count` is the number of all points in
    `extent`, (x0, y0, x1, y1), edges included. `density` (96, 96) uint16 counts them, the lowest y in the first row.
    """

    rows: NDArray[np.int32]
    inside_count: int
    density: NDArray[np.uint16]
    extent: Box

    @property
    def is_thinned(self) -> bool:
        """Whether some points are shown by the density alone."""
        return len(self.rows) < self.inside_count


class LevelOfDetail:
    """A map prepared for drawing any part of it.

    Its points are ordered so that any prefix covers the map evenly: one point of each cell of a grid, then one of each
    cell of a grid twice as fine, and so on. So isolated points are drawn, no group is missing, and dense regions are
    thinned. A part of the map shows the first of its points in this order. Hence a drawn point stays drawn when
    thresholds move, when zooming in, and when the budget rises.
    """

    def __init__(self, coordinates: NDArray[np.float32], priority: NDArray[np.uint32]) -> None:
        """`coordinates` (n, 2) are finite; within a cell, the lowest `priority` (n,) comes first (see
        `sampling_priority`). `whole` is the bounding box.

        Takes about 0.2 s for 200,000 points.
        """
        self.whole = _bounding_box(coordinates)
        self._order = _drawing_order(coordinates, priority, self.whole).astype(np.int32)
        self._x, self._y = np.ascontiguousarray(coordinates[self._order].T)

    def sample(self, viewport: Box | None, budget: int) -> MapSample:
        """At most `budget` points of a viewport (x0, y0, x1, y1), corners in any order; None is the whole map.

        Raises ClusterError for a viewport without area.
        """
        x0, y0, x1, y1 = extent = self.whole if viewport is None else _ordered(viewport)
        inside = np.flatnonzero((self._x >= x0) & (self._x <= x1) & (self._y >= y0) & (self._y <= y1))
        density = _density(self._x[inside], self._y[inside], extent)
        return MapSample(self._order[inside[:budget]], len(inside), density, extent)


def sampling_priority(asset_ids: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """A priority (n,) for each of `asset_ids` (n, 32): the first bytes of a hash are as good as random."""
    return np.ascontiguousarray(asset_ids[:, :4]).view(">u4")[:, 0].astype(np.uint32)


def _bounding_box(coordinates: NDArray[np.float32]) -> Box:
    """The smallest box around all points, never without area."""
    if len(coordinates) == 0:
        return (-1.0, -1.0, 1.0, 1.0)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    margin = np.where(high > low, 0, 1).astype(np.float32)
    (x0, y0), (x1, y1) = (low - margin).tolist(), (high + margin).tolist()
    return x0, y0, x1, y1


def _ordered(viewport: Box) -> Box:
    corners = np.asarray(viewport, np.float32).tolist()
    x0, x1 = sorted(corners[::2])
    y0, y1 = sorted(corners[1::2])
    if not (x1 > x0 and y1 > y0):
        raise ClusterError(f"nothing can be shown of a box from ({x0}, {y0}) to ({x1}, {y1}): draw a larger one")
    return x0, y0, x1, y1


def _drawing_order(coordinates: NDArray[np.float32], priority: NDArray[np.uint32], whole: Box) -> NDArray[np.intp]:
    by_priority = np.argsort(priority, kind="stable")
    x, y = (_cells(coordinates[by_priority, axis], whole[axis], whole[2 + axis], FINEST_GRID) for axis in (0, 1))
    level = np.full(len(coordinates), LEVELS, np.uint8)
    for number in reversed(range(LEVELS)):
        shift = LEVELS - 1 - number
        first_in_cell = np.unique((y >> shift) * FINEST_GRID + (x >> shift), return_index=True)[1]
        level[first_in_cell] = number
    return by_priority[np.argsort(level, kind="stable")]


def _cells(values: NDArray[np.float32], low: float, high: float, count: int) -> NDArray[np.int32]:
    """Which of `count` equal parts of [low, high] each value is in."""
    share: NDArray[np.float32] = (values - np.float32(low)) / np.float32(high - low)
    return np.minimum(share * count, count - 1).astype(np.int32)


def _density(x: NDArray[np.float32], y: NDArray[np.float32], extent: Box) -> NDArray[np.uint16]:
    x0, y0, x1, y1 = extent
    cells = _cells(y, y0, y1, DENSITY_GRID) * DENSITY_GRID + _cells(x, x0, x1, DENSITY_GRID)
    counts = np.bincount(cells, minlength=DENSITY_GRID**2)
    return np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16).reshape(DENSITY_GRID, DENSITY_GRID)
