"""How well the texts of a collection fit its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MOSTLY_RIGHT = 0.5  # up to this share of wrong texts words count in full
MIN_SAMPLE = 24  # fewer texts say nothing about a collection


@dataclass(frozen=True)
class TextFit:
    """Measured on a `sample` of pictures with a text.

    `wrong_share` estimates which share of the texts belongs to other pictures. `weak_similarity` is the cosine below
    which the best match of a query is weak, by what the collection's own texts reach; None where too few of them fit.
    """

    sample: int
    wrong_share: float
    weak_similarity: float | None = None

    @property
    def sentence(self) -> str:
        """The fit in words, and what it means for searches."""
        if not self.known:
            return "not known how well they fit: it is measured at the first search where enough pictures have any"
        fitting = f"about {1 - self.wrong_share:.0%} fit their pictures, by a sample of {self.sample:,}"
        if self.wrong_share <= MOSTLY_RIGHT:
            return fitting
        return f"only {fitting}: words count for less in searches"

    @property
    def known(self) -> bool:
        """Whether enough pictures have a text."""
        return self.sample >= MIN_SAMPLE


@dataclass(frozen=True)
class MeasuredFit:
    """A fit, and what it was measured on: texts of `assets` pictures with this `digest`, by the model `checkpoint`."""

    fit: TextFit
    checkpoint: str
    digest: str
    assets: int
    measured_at: datetime
