"""Evaluations: runs of a label set, and what each query brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

RankerName = Literal["vector", "gemini"]


def ranked_by(ranker: RankerName, stand_in: str | None) -> str:
    """Who put pictures in order: `by similarity`, `by Gemini`, or `by a stand-in at HOST`."""
    if ranker == "vector":
        return "by similarity"
    if stand_in is None:
        return "by Gemini or a stand-in (not recorded)"
    return f"by a stand-in at {stand_in}" if stand_in else "by Gemini"


@dataclass(frozen=True)
class EvaluationRunSummary:
    """A line of the list of runs."""

    id: int
    name: str
    at: datetime
    collection: str
    ranker: RankerName
    model: str
    labels: str
    queries: int
    stand_in: str | None = None

    @property
    def ranked_by(self) -> str:
        """Who put the pictures in order."""
        return ranked_by(self.ranker, self.stand_in)


@dataclass(frozen=True)
class QueryOutcome:
    """What one query brought: the first ten as shown and as by similarity alone, with the measures of both orders.

    `ranking` is `ranked`, `cached` or `fallback` where Gemini was to rank, else empty; `usd` and `rank_s` are its.
    `relevant` has the grades that the query was measured by.
    """

    id: str
    query: str
    kind: str
    relevant: Mapping[str, int]
    order: tuple[str, ...]
    vector_order: tuple[str, ...]
    measures: Mapping[str, float]
    vector_measures: Mapping[str, float]
    ranking: str = ""
    usd: float = 0.0
    rank_s: float = 0.0


@dataclass(frozen=True)
class EvaluationRun:
    """A kept evaluation; `absent` and `unanswerable` are what the label set names and the collection lacks.

    `id` is 0 until it is kept. `digest` is the label set's. `stand_in` is the host that ranked instead of Gemini, empty
    where none did, and None in runs from before it was recorded.
    """

    id: int
    name: str
    at: datetime
    model: str
    checkpoint: str
    collection: str
    collection_version: str
    ranker: RankerName
    labels: str
    digest: str
    absent: int
    unanswerable: int
    seconds: float
    outcomes: tuple[QueryOutcome, ...]
    stand_in: str | None = None

    @property
    def ranked_by(self) -> str:
        """Who put the pictures in order."""
        return ranked_by(self.ranker, self.stand_in)

    @property
    def usd(self) -> float:
        """What Gemini cost."""
        return sum(outcome.usd for outcome in self.outcomes)

    @property
    def fallbacks(self) -> int:
        """Queries that Gemini was to rank and did not."""
        return sum(outcome.ranking == "fallback" for outcome in self.outcomes)
