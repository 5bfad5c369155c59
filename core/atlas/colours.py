"""Colours that stay with a cluster while thresholds move, and read on light ground as on dark."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

HUES = 24
# In OKLCH (Ottosson 2020). Any colour of these has a contrast of 3 or more to white and to Streamlit's dark ground.
LIGHTNESSES = (0.53, 0.58, 0.63)
MOST_CHROMA = 0.16
UNCLUSTERED = 0
DISTINCT = 24
REMEMBERED = 20_000

Triple = tuple[float, float, float]


def _linear_rgb(lab: Triple) -> Triple:
    """Linear sRGB of a colour in OKLab, outside [0, 1] where a screen cannot show it."""
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


def _vivid(lightness: float, hue: float) -> Triple:
    """The colour in OKLab with as much chroma as sRGB has room for, up to 0.16."""
    chromas = (MOST_CHROMA * percent / 100 for percent in range(100, -1, -1))
    labs = ((lightness, chroma * math.cos(hue), chroma * math.sin(hue)) for chroma in chromas)
    return next(lab for lab in labs if all(0 <= channel <= 1 for channel in _linear_rgb(lab)))


_LABS = (
    (0.65, 0.0, 0.0),
    *(_vivid(lightness, 2 * math.pi * hue / HUES) for hue in range(HUES) for lightness in LIGHTNESSES),
)
PALETTE = tuple(_hex(lab) for lab in _LABS)
"""73 colours as hex: a grey for what is unclustered, then 72 for clusters. Their numbers fit in a byte."""


def cluster_colours(ids: Sequence[str]) -> list[str]:
    """A colour (hex) for each cluster id, which depends on that id alone. PALETTE[UNCLUSTERED] is for the rest."""
    return [PALETTE[_own_number(cluster_id)] for cluster_id in ids]


def point_colours(labels: NDArray[np.int32], numbers: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The number in PALETTE of each point (n,), from cluster numbers (n,), -1 for none, and their colours (k,)."""
    return np.append(numbers, np.uint8(UNCLUSTERED))[labels]


class PersonalColours:
    """The colours that one person has seen clusters in. A cluster keeps its own as long as this lives.

    The first 24 ids that are new to it get the colours furthest from those of the others, so that large clusters are
    told apart; all others the one that depends on their id alone. It remembers the 20,000 ids that were seen last.
    """

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}
        labs = np.array(_LABS[1:])
        self._apart = np.linalg.norm(labs[:, None] - labs, axis=2)

    def numbers(self, ids: Sequence[str]) -> NDArray[np.uint8]:
        """The number in PALETTE, 1–72, of each of `ids` (k,), which come in the order of importance."""
        taken = [self._number_of[cluster_id] for cluster_id in ids[:DISTINCT] if cluster_id in self._number_of]
        for cluster_id in ids[:DISTINCT]:
            if cluster_id not in self._number_of:
                self._number_of[cluster_id] = self._furthest(taken, _own_number(cluster_id))
                taken.append(self._number_of[cluster_id])
        numbers = {i: self._number_of.pop(i, 0) or _own_number(i) for i in reversed(ids)}
        self._number_of.update(numbers)
        for forgotten in list(islice(self._number_of, max(0, len(self._number_of) - REMEMBERED))):
            del self._number_of[forgotten]
        return np.fromiter((numbers[cluster_id] for cluster_id in ids), np.uint8, len(ids))

    def _furthest(self, taken: Sequence[int], own: int) -> int:
        """The colour that is least like any of those taken; the own one, or the next, where several are."""
        candidates = np.roll(np.arange(len(self._apart)), 1 - own)
        if not taken:
            return own
        nearest = self._apart[:, np.array(taken) - 1].min(axis=1)
        return int(candidates[nearest[candidates].argmax()]) + 1


def _own_number(cluster_id: str) -> int:
    return 1 + zlib.crc32(cluster_id.encode()) % (len(PALETTE) - 1)
