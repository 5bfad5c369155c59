"""Cluster colours that stay the same while thresholds move, and are legible on light and dark backgrounds."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

HUE_COUNT = 24
# In OKLCH (Ottosson 2020). All colours with these have a contrast of at least 3 to white and to Streamlit's dark
# background.
LIGHTNESSES = (0.53, 0.58, 0.63)
MAX_CHROMA = 0.16
UNCLUSTERED = 0
DISTINCT_COLOURS = 24
MAX_REMEMBERED = 20_000

Triple = tuple[float, float, float]


def _linear_rgb(lab: Triple) -> Triple:
    """Linear sRGB of a colour in OKLab, outside [0, 1] if a screen cannot show it."""
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _hex(lab: Triple) -> str:
    channels = (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in _linear_rgb(lab))
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)


def _most_vivid(lightness: float, hue: float) -> Triple:
    """The colour in OKLab with the highest chroma in the sRGB gamut, up to 0.16."""
    chromas = (MAX_CHROMA * percent / 100 for percent in range(100, -1, -1))
    labs = ((lightness, chroma * math.cos(hue), chroma * math.sin(hue)) for chroma in chromas)
    return next(lab for lab in labs if all(0 <= channel <= 1 for channel in _linear_rgb(lab)))


_LABS = (
    (0.65, 0.0, 0.0),
    *(_most_vivid(lightness, 2 * math.pi * hue / HUE_COUNT) for hue in range(HUE_COUNT) for lightness in LIGHTNESSES),
)
PALETTE = tuple(_hex(lab) for lab in _LABS)
"""73 colours as hex: a grey for what is unclustered, then 72 for clusters. Their indices fit in a byte."""


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
        labs = np.array(_LABS[1:])
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
