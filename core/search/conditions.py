"""The conditions of a query: which rows meet them, and what they name that a collection does not have."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from core.records.queries import Condition, PeriodCondition, Query, RatingCondition, TextCondition
from core.search.filters import COLUMN_FIELDS, VALUE_FIELDS, FilterColumns, ValueField, unknown_value
from core.search.query_language.collection_names import CollectionNames
from core.store.lance.folded_texts import FoldedTexts


def conditions_mask(
    conditions: Iterable[Condition], columns: FilterColumns, texts: FoldedTexts | None = None
) -> NDArray[np.bool_] | None:
    """(n,) bool of the rows that meet every condition; None if there is none."""
    masks = [condition_mask(condition, columns, texts) for condition in conditions]
    return np.logical_and.reduce(masks) if masks else None


def condition_mask(condition: Condition, columns: FilterColumns, texts: FoldedTexts | None = None) -> NDArray[np.bool_]:
    """(n,) bool of the rows that meet a condition.

    What is not known meets an exclusion: `-1998` keeps pictures without a date, `-rating:1` those without a rating.
    Titles and other texts without `texts` are searched as far as the columns hold them.
    """
    return _meets(condition, columns, texts) ^ condition.excluded


def _meets(condition: Condition, columns: FilterColumns, texts: FoldedTexts | None) -> NDArray[np.bool_]:
    match condition:
        case RatingCondition():
            return columns.rated(condition.lowest, condition.highest)
        case PeriodCondition():
            return columns.taken_within(condition.since, condition.until)
        case TextCondition():
            return _has_words(condition, columns, texts)


def _has_words(condition: TextCondition, columns: FilterColumns, texts: FoldedTexts | None) -> NDArray[np.bool_]:
    field, words = condition.field, condition.words
    value_field = _value_field(condition)
    if value_field is not None:
        return columns.with_value(value_field, words)
    met = np.zeros(len(columns), dtype=bool)
    if texts is not None and (found := texts.rows_with(words, field)) is not None:
        met |= found
    for name in COLUMN_FIELDS:
        if field in ("any", name) and (texts is None or name not in texts.fields):
            met |= columns.with_value(name, words)
    return met


def _value_field(condition: TextCondition) -> ValueField | None:
    return next((name for name in VALUE_FIELDS if name == condition.field), None)


def unknown_condition_values(names: CollectionNames, query: Query) -> list[str]:
    """What conditions name and a collection does not have: `person “Adda” (did you mean Ada?)`."""
    unknown = []
    for condition in query.conditions:
        field = _value_field(condition) if isinstance(condition, TextCondition) else None
        if isinstance(condition, TextCondition) and field is not None and not names.values(field, condition.words):
            unknown.append(unknown_value(field, condition.words, names.facets))
    return unknown
