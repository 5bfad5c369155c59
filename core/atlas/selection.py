"""Which points of a map are inside a lasso or a box: all of them, drawn or not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.errors import ClusterError


def inside_polygon(coordinates: NDArray[np.float32], polygon: ArrayLike) -> NDArray[np.bool_]:
    """Which of `coordinates` (n, 2) are inside a polygon with vertices (k, 2), (n,) bool, by the even-odd rule.

    The last vertex joins the first. Left and lower edges belong to the polygon, right and upper ones do not. Vertices
    are taken as float32. Raises ClusterError for fewer than 3 vertices, or any that are not finite.
    """
    vertices = _vertices(polygon)
    inside = inside_box(coordinates, *vertices.min(axis=0).tolist(), *vertices.max(axis=0).tolist())
    rows = np.flatnonzero(inside)
    x, y = coordinates[rows, 0], coordinates[rows, 1]
    odd, crossed, level = np.zeros(len(x), bool), np.empty(len(x), bool), np.empty(len(x), bool)
    edge_x = np.empty_like(x)
    for number in range(len(vertices)):
        # The lower end first, so that polygons on both sides of an edge see the same line: no point is in both or none.
        (x0, y0), (x1, y1) = sorted(vertices[[number - 1, number]].tolist(), key=lambda vertex: vertex[1])
        if y1 > y0:
            with np.errstate(over="ignore", invalid="ignore"):  # beyond the ends of an edge, where it does not count
                np.subtract(y, np.float32(y0), out=edge_x)
                edge_x *= np.float32((x1 - x0) / (y1 - y0))
                edge_x += np.float32(x0)
            np.less(x, edge_x, out=crossed)
            crossed &= np.greater_equal(y, np.float32(y0), out=level)
            crossed &= np.less(y, np.float32(y1), out=level)
            odd ^= crossed
    inside[rows] = odd
    return inside


def inside_box(coordinates: NDArray[np.float32], x0: float, y0: float, x1: float, y1: float) -> NDArray[np.bool_]:
    """Which of `coordinates` (n, 2) are inside a box with these opposite corners, edges included, (n,) bool."""
    x, y = coordinates[:, 0], coordinates[:, 1]
    inside: NDArray[np.bool_] = (x >= min(x0, x1)) & (x <= max(x0, x1)) & (y >= min(y0, y1)) & (y <= max(y0, y1))
    return inside


def _vertices(polygon: ArrayLike) -> NDArray[np.float32]:
    vertices = np.asarray(polygon, np.float32)
    if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
        raise ClusterError(f"a lasso needs 3 points (x, y) or more, not {vertices.shape}: draw around some pictures")
    if not np.isfinite(vertices).all():
        raise ClusterError(f"a lasso needs numbers, not {vertices[~np.isfinite(vertices)][0]}: draw it again")
    return vertices
