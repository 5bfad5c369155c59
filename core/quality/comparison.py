"""Two runs compared query by query, and the lift of Gemini's order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.errors import QualityError
from core.quality.intervals import Interval, bootstrap
from core.quality.relevance import MEASURE_NAMES
from core.records.evaluations import EvaluationRun, QueryOutcome

LIFT_MEASURE = "ndcg@4"
NO_KEY = "GEMINI_API_KEY is not set"
NOT_RECORDED = "it was not recorded whether Gemini or a mock server ranked"


@dataclass(frozen=True)
class QueryChange:
    """One query in both runs; `difference` is second minus first, in the measure that the comparison is sorted by."""

    first: QueryOutcome
    second: QueryOutcome
    difference: float


@dataclass(frozen=True)
class Comparison:
    """Second run minus first: the mean difference of every measure with its paired interval, and every query.

    `changes` starts with the largest drops. `unpaired` counts queries that only one of the runs could ask.
    """

    first: EvaluationRun
    second: EvaluationRun
    differences: Mapping[str, Interval]
    changes: tuple[QueryChange, ...]
    unpaired: int


@dataclass(frozen=True)
class Lift:
    """What Gemini's order adds to the vector order, in points of NDCG@4, over the queries it ranked in this run.

    `per_usd` and `per_s` are the points gained in total per dollar and per second of ranking. If nothing was measured,
    `not_measured` says why and the figures are None.
    """

    not_measured: str = ""
    queries: int = 0
    gain: Interval | None = None
    per_usd: float | None = None
    per_s: float | None = None


def compare(first: EvaluationRun, second: EvaluationRun) -> Comparison:
    """Compare two runs over their common queries. Raises QualityError unless they used the same label set."""
    if first.digest != second.digest:
        raise QualityError(
            f"run {first.id} used {first.labels} ({first.digest}), run {second.id} {second.labels} ({second.digest}): "
            "compare runs of the same label set"
        )
    before = {outcome.id: outcome for outcome in first.outcomes}
    pairs = [(before[outcome.id], outcome) for outcome in second.outcomes if outcome.id in before]
    if not pairs:
        raise QualityError(f"runs {first.id} and {second.id} have no query in common: evaluate them again")
    values = np.array([[b.measures[name] - a.measures[name] for name in MEASURE_NAMES] for a, b in pairs])
    changes = (QueryChange(a, b, b.measures[LIFT_MEASURE] - a.measures[LIFT_MEASURE]) for a, b in pairs)
    return Comparison(
        first,
        second,
        dict(zip(MEASURE_NAMES, bootstrap(values), strict=True)),
        tuple(sorted(changes, key=lambda change: change.difference)),
        len(first.outcomes) + len(second.outcomes) - 2 * len(pairs),
    )


def lift(run: EvaluationRun, key_is_set: bool = True) -> Lift:
    """The lift over the queries that Gemini ranked in this run; cached orders cost nothing and do not count."""
    ranked = [outcome for outcome in run.outcomes if outcome.ranking == "ranked"]
    if run.mock_server:
        return Lift(f"ranked {run.ranked_by}, not by Gemini")
    if not ranked:
        return Lift("Gemini ranked no query in this run" if key_is_set else NO_KEY)
    if run.mock_server is None:
        return Lift(NOT_RECORDED)
    gains = np.array([[o.measures[LIFT_MEASURE] - o.vector_measures[LIFT_MEASURE]] for o in ranked])
    usd, seconds, points = sum(o.usd for o in ranked), sum(o.rank_s for o in ranked), float(gains.sum())
    return Lift(
        "", len(ranked), bootstrap(gains)[0], points / usd if usd else None, points / seconds if seconds else None
    )
