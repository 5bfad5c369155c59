"""Whether the texts of a collection fit its pictures: measured by the model that the collection is embedded with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from core.records.text_fit import MIN_SAMPLE, MOSTLY_RIGHT, MeasuredFit, TextFit

SAMPLE = 240
# The share of a collection's own texts whose most similar picture is less similar than a weak match.
WEAK_QUANTILE = 0.01
ROUNDING = 1e-6
# A measurement is made anew once this share of the pictures came or went, or the texts changed and it is this old.
CHANGED_SHARE, MAX_AGE = 0.1, timedelta(minutes=10)


def is_outdated(measured: MeasuredFit | None, checkpoint: str, digest: str, assets: int, now: datetime) -> bool:
    """Whether the fit of texts with this digest, of this many assets, has to be measured."""
    if measured is None or measured.checkpoint != checkpoint:
        return True
    changed = abs(assets - measured.assets) > CHANGED_SHARE * measured.assets
    return measured.digest != digest and (changed or now - measured.measured_at > MAX_AGE)


def measure_text_fit(
    vectors: NDArray[np.float32],
    rows: Sequence[int],
    text_of: Callable[[int], str],
    encode: Callable[[list[str]], NDArray[np.float32]],
) -> TextFit:
    """Measure the fit on at most `SAMPLE` of the `rows` that have a text.

    A text of another picture puts its own picture below the median half of the time, a fitting one almost never: so
    the share of wrong texts is twice the share of pictures below the median for their own text. `vectors` is (n, d)
    float32 of unit length, as is what `encode` returns. The sample depends on the rows alone.
    """
    chosen = np.random.default_rng(len(rows)).permutation(np.asarray(rows, np.intp))[:SAMPLE]
    if len(chosen) < MIN_SAMPLE:
        return TextFit(len(chosen), 0.0)
    similarity = encode([text_of(int(row)) for row in chosen]) @ vectors.T
    own = similarity[np.arange(len(chosen)), chosen][:, np.newaxis]
    # Pictures with equal vectors share the middle of their places; their products are rounded one way or another.
    above = (similarity > own + ROUNDING).sum(axis=1) + 0.5 * ((np.abs(similarity - own) <= ROUNDING).sum(axis=1) - 1)
    wrong = min(1.0, 2 * float(np.mean(above / max(1, len(vectors) - 1) > 0.5)))
    weak = float(np.quantile(similarity.max(axis=1), WEAK_QUANTILE)) if wrong <= MOSTLY_RIGHT else None
    return TextFit(len(chosen), wrong, weak)
