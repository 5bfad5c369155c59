"""One evaluation: every query of a label set is asked once, and what came back is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.quality.intervals import Interval, bootstrap
from core.quality.label_sets import Fit, LabelledQuery
from core.quality.relevance import DEPTH, NAMES, measures_of
from core.records.assets import Hit
from core.records.evaluations import QueryOutcome
from core.records.jobs import Progress, ProgressListener, ignore
from core.search.answer import Answer

Ask = Callable[[str], Answer]


@dataclass(frozen=True)
class Scores:
    """The measures of some queries, by name, each with its interval."""

    count: int
    measures: Mapping[str, Interval]


def evaluate(
    labels: Fit, ask: Ask, listener: ProgressListener = ignore, clock: Callable[[], float] = time.perf_counter
) -> tuple[tuple[QueryOutcome, ...], float]:
    """Ask every query; the outcomes in the label set's order, and the seconds taken. Raises what `ask` raises."""
    began, outcomes = clock(), list[QueryOutcome]()
    for query in labels.queries:
        outcomes.append(_outcome(query, ask(query.query)))
        listener(Progress("evaluate", len(outcomes), len(labels.queries)))
    return tuple(outcomes), clock() - began


def _outcome(query: LabelledQuery, answer: Answer) -> QueryOutcome:
    order, vector_order = _ids(answer.hits), _ids(answer.result.hits)
    ranking = answer.ranking
    return QueryOutcome(
        query.id,
        query.query,
        query.kind,
        query.relevant,
        order,
        vector_order,
        measures_of(order, query.relevant),
        measures_of(vector_order, query.relevant),
        ranking.outcome if ranking else "",
        ranking.usd if ranking else 0.0,
        answer.stage_ms.get("rank", 0.0) / 1000,
    )


def _ids(hits: Iterable[Hit]) -> tuple[str, ...]:
    return tuple(hit.asset.id for hit in hits)[:DEPTH]


def scores(outcomes: Sequence[QueryOutcome]) -> Scores:
    """The measures of these queries; there has to be at least one."""
    values = np.array([[outcome.measures[name] for name in NAMES] for outcome in outcomes])
    return Scores(len(outcomes), dict(zip(NAMES, bootstrap(values), strict=True)))


def scores_by_kind(outcomes: Sequence[QueryOutcome]) -> dict[str, Scores]:
    """The measures of each kind of query, the most frequent kind first."""
    kinds: dict[str, list[QueryOutcome]] = {}
    for outcome in outcomes:
        kinds.setdefault(outcome.kind, []).append(outcome)
    return {kind: scores(found) for kind, found in sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))}
