"""One evaluation: every query of a label set is asked once, and what came back is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np

from core.quality.intervals import Interval, bootstrap
from core.quality.labels import Fit, LabelledQuery
from core.quality.measures import DEPTH, NAMES, measures_of
from core.records import Hit, Progress, ProgressListener, unheard
from core.search.answers import Answer

RankerName = Literal["vector", "gemini"]
Ask = Callable[[str], Answer]


@dataclass(frozen=True)
class Outcome:
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
class Run:
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
    outcomes: tuple[Outcome, ...]
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


@dataclass(frozen=True)
class Scores:
    """The measures of some queries, by name, each with its interval."""

    count: int
    measures: Mapping[str, Interval]


def ranked_by(ranker: RankerName, stand_in: str | None) -> str:
    """Who put pictures in order: `by similarity`, `by Gemini`, or `by a stand-in at HOST`."""
    if ranker == "vector":
        return "by similarity"
    if stand_in is None:
        return "by Gemini or a stand-in (not recorded)"
    return f"by a stand-in at {stand_in}" if stand_in else "by Gemini"


def evaluate(
    labels: Fit, ask: Ask, listener: ProgressListener = unheard, clock: Callable[[], float] = time.perf_counter
) -> tuple[tuple[Outcome, ...], float]:
    """Ask every query; the outcomes in the label set's order, and the seconds taken. Raises what `ask` raises."""
    began, outcomes = clock(), list[Outcome]()
    for query in labels.queries:
        outcomes.append(_outcome(query, ask(query.query)))
        listener(Progress("evaluate", len(outcomes), len(labels.queries)))
    return tuple(outcomes), clock() - began


def _outcome(query: LabelledQuery, answer: Answer) -> Outcome:
    order, vector_order = _ids(answer.hits), _ids(answer.result.hits)
    ranking = answer.ranking
    return Outcome(
        query.id, query.query, query.kind, query.relevant, order, vector_order,
        measures_of(order, query.relevant), measures_of(vector_order, query.relevant),
        ranking.outcome if ranking else "", ranking.usd if ranking else 0.0, answer.stage_ms.get("rank", 0.0) / 1000,
    )  # fmt: skip


def _ids(hits: Iterable[Hit]) -> tuple[str, ...]:
    return tuple(hit.asset.id for hit in hits)[:DEPTH]


def scores(outcomes: Sequence[Outcome]) -> Scores:
    """The measures of these queries; there has to be at least one."""
    values = np.array([[outcome.measures[name] for name in NAMES] for outcome in outcomes])
    return Scores(len(outcomes), dict(zip(NAMES, bootstrap(values), strict=True)))


def scores_by_kind(outcomes: Sequence[Outcome]) -> dict[str, Scores]:
    """The measures of each kind of query, the most frequent kind first."""
    kinds: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        kinds.setdefault(outcome.kind, []).append(outcome)
    return {kind: scores(found) for kind, found in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))}
