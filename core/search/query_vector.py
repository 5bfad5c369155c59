"""The vector of a query: its wishes, and pictures that results should look like or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.errors import QueryError
from core.records.queries import Wish

MIN_NORM = 1e-3
# How much of an unwanted text or picture is taken away. For texts measured on queries with `without`.
UNWANTED_TEXT, UNWANTED_PICTURE = 0.3, 0.25


def wishes_vector(wishes: Sequence[Wish], vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the wanted texts by their weights, less a share of the unwanted ones: (d,) float32 of unit length.

    `vectors` is (n, d) float32 of unit length, row i for wish i. There must be a wanted one. Raises QueryError if they
    cancel each other out.
    """
    weights = np.array([wish.weight for wish in wishes], np.float64)
    wanted = np.maximum(weights, 0) @ vectors / weights[weights > 0].sum()
    return _unit(wanted + UNWANTED_TEXT * (np.minimum(weights, 0) @ vectors), "these words")


def pictures_vector(like: NDArray[np.float32], unlike: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of wanted pictures less a share of the mean of unwanted ones (Rocchio 1971): (d,) float32, unit length.

    Both are (n, d) float32 of unit length, `like` has a row at least. Raises QueryError if they cancel each other out.
    """
    if len(like) == 1 and not len(unlike):
        return np.asarray(like[0], np.float32)
    mean: NDArray[np.float64] = like.mean(axis=0, dtype=np.float64)
    if len(unlike):
        mean = mean - UNWANTED_PICTURE * unlike.mean(axis=0, dtype=np.float64)
    return _unit(mean, "these pictures")


def blend_query_vectors(image: NDArray[np.float32], text: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """The mean of both, weighted by the text's share `weight` (0 to 1) and normalized to unit length.

    `image` and `text` are (d,) float32 of unit length, and so is the result. At 0 and at 1 it is the one or the other
    unchanged. Raises QueryError for another weight, and where both cancel each other out.
    """
    if not 0 <= weight <= 1:
        raise QueryError(f"the weight of the words is {weight:g}: choose one from 0 (the picture alone) to 1")
    if weight in (0, 1):
        return text if weight else image
    mean = (1 - weight) * image.astype(np.float64) + weight * text.astype(np.float64)
    return _unit(mean, f"picture and words at a weight of {weight:g}")


def _unit(vector: NDArray[np.float64], what: str) -> NDArray[np.float32]:
    norm = float(np.linalg.norm(vector))
    if norm < MIN_NORM:
        raise QueryError(f"{what} cancel each other out: change one of them, or a weight")
    unit: NDArray[np.float32] = (vector / norm).astype(np.float32)
    return unit
