"""Relevance measures, as TREC's program computes them.

They are written out here because the bindings that ir-measures stands on have no build for Linux on ARM, where
an installation would need a compiler and the network; tests hold these formulas against ir-measures.

Pictures graded 1 or 2 are relevant; pictures that nobody graded are not. The order is the one that a person saw: equal
similarities are no ties here, because the list that was shown has settled them.
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
    """One measure: what it is called, what it says, and the predecessor's figure, which nobody could check."""

    name: str
    title: str
    meaning: str
    predecessor: float | None
    of: Callable[[Order, Grades], float]


def precision(order: Order, grades: Grades, places: int = SHOWN) -> float:
    """The share of the first places with a relevant picture; places that stay empty count against it."""
    return sum(grades.get(asset_id, 0) > 0 for asset_id in order[:places]) / places


def recall(order: Order, grades: Grades, places: int = DEPTH) -> float:
    """The share of the relevant pictures that are among the first places, 0 where none is relevant."""
    relevant = sum(grade > 0 for grade in grades.values())
    return sum(grades.get(asset_id, 0) > 0 for asset_id in order[:places]) / relevant if relevant else 0.0


def ndcg(order: Order, grades: Grades, places: int = SHOWN) -> float:
    """Discounted gain of the first places against the best order's (Järvelin and Kekäläinen 2002), 0 where that is 0.

    The gain is the grade, the discount log2(place + 1).
    """
    best = _gain(sorted(grades.values(), reverse=True)[:places])
    return _gain([grades.get(asset_id, 0) for asset_id in order[:places]]) / best if best else 0.0


def reciprocal_rank(order: Order, grades: Grades, places: int = DEPTH) -> float:
    """1 / place of the first relevant picture, 0 if none is among the first places."""
    return next((1 / place for place, i in enumerate(order[:places], 1) if grades.get(i, 0) > 0), 0.0)


def success(order: Order, grades: Grades, places: int = SHOWN) -> float:
    """1 if a relevant picture is among the first places, else 0."""
    return float(any(grades.get(asset_id, 0) > 0 for asset_id in order[:places]))


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(place + 1) for place, grade in enumerate(grades, 1))


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
NAMES: tuple[str, ...] = tuple(measure.name for measure in RELEVANCE_MEASURES)


def measures_of(order: Order, grades: Grades) -> dict[str, float]:
    """Every measure of one query by name. `order` has asset ids, the best first, none twice."""
    return {measure.name: measure.of(order, grades) for measure in RELEVANCE_MEASURES}
