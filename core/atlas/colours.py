"""Cluster colours that stay the same while thresholds move, and are legible on light and dark backgrounds."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

UNCLUSTERED = 0
DISTINCT_COLOURS = 24
MAX_REMEMBERED = 20_000

# 24 hues, each in three lightnesses of OKLCH (0.53, 0.58, 0.63), as vivid as sRGB has it up to a chroma of 0.16. All
# have a contrast of at least 3 to white and to Streamlit's dark background.
_CLUSTER_COLOURS = (
    "#b03968 #c24976 #d35985 #b5394d #c6495b #d85969 #b63c2e #c74c3d #d95c4b #af4702 #c4530f #d56326 "
    "#9e5703 #b36300 #c87002 #906104 #a46e03 #b77b00 #846804 #967600 #a78403 #766f01 #867d05 #968d04 "
    "#637503 #708500 #7e9503 #407e03 #4d8e16 #5b9d2c #01823a #059343 #25a351 #047f5c #029068 #07a175 "
    "#017e6e #078e7d #059f8c #047c7c #088c8c #029d9d #027a89 #078a9b #019aad #057797 #0687aa #0697bf "
    "#0573aa #0082c0 #0292d7 #186bc5 #2b7ad6 #3c8ae7 #4961c7 #5671d8 #6480e9 #6559c3 #7368d4 #8177e5 "
    "#7b50b9 #8a5fc9 #996fda #8e49aa #9d58ba #ad67cb #9c4297 #ad51a7 #bd60b6 #a83c81 #b94c90 #ca5b9f"
)
PALETTE = ("#8f8f8f", *_CLUSTER_COLOURS.split())
"""73 colours as hex: a grey for what is unclustered, then 72 for clusters. Their indices fit in a byte."""

_RGB_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_CONES_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def default_palette_index(cluster_id: str) -> int:
    """The index in PALETTE, 1–72, of a cluster's default colour, which depends on its id alone."""
    return 1 + zlib.crc32(cluster_id.encode()) % (len(PALETTE) - 1)


def point_colours(labels: NDArray[np.int32], palette_indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The PALETTE index of each point (n,), from cluster labels (n,), -1 for none, and the clusters' indices (k,)."""
    return np.append(palette_indices, np.uint8(UNCLUSTERED))[labels]


class PersonalColours:
    """The cluster colours that one person has seen. A cluster keeps its colour for the lifetime of this object.

    The first 24 ids, if new, get the colours furthest from those of the others, so that large clusters are easy to tell
    apart; all other ids get their default colour. The 20,000 ids seen last are remembered.
    """

    def __init__(self) -> None:
        self._index_of: dict[str, int] = {}
        labs = _oklab(PALETTE[1:])
        self._distances = np.linalg.norm(labs[:, None] - labs, axis=2)

    def palette_indices(self, ids: Sequence[str]) -> NDArray[np.uint8]:
        """The index in PALETTE, 1–72, of each of `ids` (k,), given in order of importance."""
        first = ids[:DISTINCT_COLOURS]
        taken = [self._index_of[cluster_id] for cluster_id in first if cluster_id in self._index_of]
        for cluster_id in first:
            if cluster_id not in self._index_of:
                self._index_of[cluster_id] = self._furthest(taken, default_palette_index(cluster_id))
                taken.append(self._index_of[cluster_id])
        indices = {i: self._index_of.pop(i, 0) or default_palette_index(i) for i in reversed(ids)}
        self._index_of.update(indices)
        for oldest in list(islice(self._index_of, max(0, len(self._index_of) - MAX_REMEMBERED))):
            del self._index_of[oldest]
        return np.fromiter((indices[cluster_id] for cluster_id in ids), np.uint8, len(ids))

    def _furthest(self, taken: Sequence[int], default: int) -> int:
        """The colour most different from all taken ones; on a tie the default, or the next one after it."""
        candidates = np.roll(np.arange(len(self._distances)), 1 - default)
        if not taken:
            return default
        nearest = self._distances[:, np.array(taken) - 1].min(axis=1)
        return int(candidates[nearest[candidates].argmax()]) + 1


def _oklab(colours: Sequence[str]) -> NDArray[np.float64]:
    """Hex colours (n,) in OKLab (n, 3), where distances are perceptual (Ottosson 2020)."""
    srgb = np.array([list(bytes.fromhex(colour[1:])) for colour in colours]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(linear @ _RGB_TO_CONES.T) @ _CONES_TO_OKLAB.T)
