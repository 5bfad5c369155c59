"""One evaluation: search for every query of a label set once, and measure the results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.quality.intervals import Interval, bootstrap
from core.quality.label_sets import ApplicableLabels, LabelledQuery
from core.quality.relevance import DEPTH, MEASURE_NAMES, compute_measures
from core.records.assets import Hit
from core.records.evaluations import QueryOutcome
from core.records.jobs import Progress, ProgressListener, ignore
from core.search.answer import Answer

SearchQuery = Callable[[str], Answer]


@dataclass(frozen=True)
class MeanMeasures:
    """The mean measures of some queries, by name, each with its interval."""

    count: int
    measures: Mapping[str, Interval]


def evaluate(
    labels: ApplicableLabels,
    search: SearchQuery,
    listener: ProgressListener = ignore,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[tuple[QueryOutcome, ...], float]:
    """Run every query; return the outcomes in that order, and the seconds taken. Raises what `search` does."""
    started, outcomes = clock(), list[QueryOutcome]()
    for query in labels.queries:
        outcomes.append(_outcome(query, search(query.query)))
        listener(Progress("evaluate", len(outcomes), len(labels.queries)))
    return tuple(outcomes), clock() - started


def _outcome(query: LabelledQuery, answer: Answer) -> QueryOutcome:
    order, vector_order = _ids(answer.hits), _ids(answer.result.hits)
    ranking = answer.ranking
    return QueryOutcome(
        id=query.id,
        query=query.query,
        kind=query.kind,
        relevant=query.relevant,
        order=order,
        vector_order=vector_order,
        measures=compute_measures(order, query.relevant),
        vector_measures=compute_measures(vector_order, query.relevant),
        ranking=ranking.outcome if ranking else "",
        usd=ranking.usd if ranking else 0.0,
        rank_s=answer.stage_ms.get("rank", 0.0) / 1000,
    )


def _ids(hits: Iterable[Hit]) -> tuple[str, ...]:
    return tuple(hit.asset.id for hit in hits)[:DEPTH]


def scores(outcomes: Sequence[QueryOutcome]) -> MeanMeasures:
    """The mean measures of these queries; there must be at least one."""
    values = np.array([[outcome.measures[name] for name in MEASURE_NAMES] for outcome in outcomes])
    return MeanMeasures(len(outcomes), dict(zip(MEASURE_NAMES, bootstrap(values), strict=True)))


def scores_by_kind(outcomes: Sequence[QueryOutcome]) -> dict[str, MeanMeasures]:
    """The mean measures of each kind of query, the most frequent kind first."""
    kinds: dict[str, list[QueryOutcome]] = {}
    for outcome in outcomes:
        kinds.setdefault(outcome.kind, []).append(outcome)
    return {kind: scores(found) for kind, found in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))}
