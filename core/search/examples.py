"""Queries to begin with, taken from the collection itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread(vectors: NDArray[np.float32], count: int) -> list[int]:
    """Rows of (n, d) unit vectors that lie far apart: farthest-first traversal by cosine (Gonzalez 1985).

    It begins with the row nearest to the mean, so the result depends on the vectors alone.
    """
    if len(vectors) == 0:
        return []
    closest = vectors @ vectors.mean(axis=0)
    rows = [int(np.argmax(closest))]
    similarity = vectors @ vectors[rows[0]]
    while len(rows) < min(count, len(vectors)):
        rows.append(int(np.argmin(similarity)))
        similarity = np.maximum(similarity, vectors @ vectors[rows[-1]])
    return rows
