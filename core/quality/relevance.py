"""Relevance measures, as trec_eval computes them.

They are implemented here because the bindings that ir-measures depends on have no build for Linux on ARM, where an
installation would need a compiler and the network; tests check these formulas against ir-measures.

Pictures graded 1 or 2 are relevant; ungraded pictures are not. The order is the one that a person saw: equal
similarities are not ties here, because the list that was shown has settled them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

SHOWN, DEPTH = 4, 10
Grades = Mapping[str, int]
Order = Sequence[str]


@dataclass(frozen=True)
class RelevanceMeasure:
    """One measure: its name and meaning, how it is computed, and the baseline's figure, which could not be verified."""

    name: str
    title: str
    meaning: str
    baseline: float | None
    compute: Callable[[Order, Grades], float]


def precision(order: Order, grades: Grades, cutoff: int = SHOWN) -> float:
    """The share of the first `cutoff` positions with a relevant picture; empty positions count against it."""
    return sum(grades.get(asset_id, 0) > 0 for asset_id in order[:cutoff]) / cutoff


def recall(order: Order, grades: Grades, cutoff: int = DEPTH) -> float:
    """The share of the relevant pictures that are in the first `cutoff` positions, 0 if there are none."""
    relevant = sum(grade > 0 for grade in grades.values())
    return sum(grades.get(asset_id, 0) > 0 for asset_id in order[:cutoff]) / relevant if relevant else 0.0


def ndcg(order: Order, grades: Grades, cutoff: int = SHOWN) -> float:
    """Discounted gain of the first `cutoff` positions relative to the best order's (Järvelin and Kekäläinen 2002).

    The gain is the grade, the discount log2(position + 1). 0 if no picture is relevant.
    """
    best = _gain(sorted(grades.values(), reverse=True)[:cutoff])
    return _gain([grades.get(asset_id, 0) for asset_id in order[:cutoff]]) / best if best else 0.0


def reciprocal_rank(order: Order, grades: Grades, cutoff: int = DEPTH) -> float:
    """1 / position of the first relevant picture, 0 if none is in the first `cutoff` positions."""
    return next((1 / position for position, i in enumerate(order[:cutoff], 1) if grades.get(i, 0) > 0), 0.0)


def success(order: Order, grades: Grades, cutoff: int = SHOWN) -> float:
    """1 if a relevant picture is in the first `cutoff` positions, else 0."""
    return float(any(grades.get(asset_id, 0) > 0 for asset_id in order[:cutoff]))


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(position + 1) for position, grade in enumerate(grades, 1))


RELEVANCE_MEASURES: tuple[RelevanceMeasure, ...] = (
    RelevanceMeasure(
        "precision@4", "Precision@4", "share of the first 4 places with a relevant picture", 0.87, precision
    ),
    RelevanceMeasure("recall@10", "Recall@10", "share of the relevant pictures among the first 10", 0.92, recall),
    RelevanceMeasure(
        "ndcg@4", "NDCG@4", "gain of the first 4 places, grades counted, against the best order", 0.83, ndcg
    ),
    RelevanceMeasure("mrr", "MRR", "1 / place of the first relevant picture among the first 10", None, reciprocal_rank),
    RelevanceMeasure(
        "success@4", "Query success", "share of queries with a relevant picture in the first 4", 0.94, success
    ),
)
MEASURE_NAMES: tuple[str, ...] = tuple(measure.name for measure in RELEVANCE_MEASURES)


def compute_measures(order: Order, grades: Grades) -> dict[str, float]:
    """Every measure of one query by name. `order` has unique asset ids, the best first."""
    return {measure.name: measure.compute(order, grades) for measure in RELEVANCE_MEASURES}
