"""A picture and words as one query."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.errors import QueryError

LEAST_LENGTH = 1e-3


def mixed(picture: NDArray[np.float32], words: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """The mean of both, `weight` (0 to 1) being the words' share, brought back to unit length.

    `picture` and `words` are (d,) float32 of unit length, and so is what comes back. At 0 and at 1 it is the one or the
    other unchanged. Raises QueryError for another weight, and where both cancel each other out.
    """
    if not 0 <= weight <= 1:
        raise QueryError(f"the weight of the words is {weight:g}: choose one from 0 (the picture alone) to 1")
    if weight in (0, 1):
        return words if weight else picture
    mean = (1 - weight) * picture.astype(np.float64) + weight * words.astype(np.float64)
    length = float(np.linalg.norm(mean))
    if length < LEAST_LENGTH:
        raise QueryError(f"picture and words cancel each other out at a weight of {weight:g}: choose another weight")
    unit: NDArray[np.float32] = (mean / length).astype(np.float32)
    return unit
