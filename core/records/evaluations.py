"""Evaluations: runs of a label set, and the outcome of each query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

# `vector` is by pixels alone, `both` by pixels and words, which Gemini's candidates come from too.
RankerName = Literal["both", "vector", "words", "gemini"]
_RANKED_BY = {"both": "by pixels and words", "vector": "by similarity", "words": "by words"}


def ranked_by(ranker: RankerName, mock_server: str | None) -> str:
    """What ranked the pictures: `by similarity`, `by Gemini`, or `by a mock server at HOST`."""
    if ranker != "gemini":
        return _RANKED_BY[ranker]
    if mock_server is None:
        return "by Gemini or a mock server (not recorded)"
    return f"by a mock server at {mock_server}" if mock_server else "by Gemini"


@dataclass(frozen=True)
class EvaluationRunSummary:
    """An entry of the list of runs."""

    id: int
    name: str
    at: datetime
    collection: str
    ranker: RankerName
    model: str
    labels: str
    queries: int
    mock_server: str | None = None

    @property
    def ranked_by(self) -> str:
        """What ranked the pictures."""
        return ranked_by(self.ranker, self.mock_server)


@dataclass(frozen=True)
class QueryOutcome:
    """The outcome of one query: the first ten as shown and as before Gemini, with the measures of both orders.

    `ranking` is `ranked`, `cached` or `fallback` if Gemini was to rank, else empty; `usd` and `rank_s` are its cost and
    time. `relevant` has the grades that the query was measured against.
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
    """A stored evaluation; `absent` labels and `unanswerable` queries name pictures that the collection lacks.

    `id` is 0 until it is stored. `digest` is that of the label set. `mock_server` is the host that ranked instead of
    Gemini, empty if none did, and None in runs from before it was recorded.
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
    mock_server: str | None = None

    @property
    def ranked_by(self) -> str:
        """What ranked the pictures."""
        return ranked_by(self.ranker, self.mock_server)

    @property
    def usd(self) -> float:
        """The cost of Gemini."""
        return sum(outcome.usd for outcome in self.outcomes)

    @property
    def fallbacks(self) -> int:
        """The number of queries that Gemini was to rank and did not."""
        return sum(outcome.ranking == "fallback" for outcome in self.outcomes)
