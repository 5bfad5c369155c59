"""The texts of a collection without case and accents, so that words next to each other are found in any of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.records.queries import TextField
from core.text import plain_words

_BETWEEN = " | "  # no word is found across it


def folded_text(values: Iterable[str]) -> str:
    """The texts of one picture in one field as a row of FoldedTexts holds them."""
    return f" {_BETWEEN.join(map(plain_words, values))} "


def folded_column(texts: pa.Array, separator: str) -> pa.Array:
    """A column of texts, each of several values with a separator between them, as `folded_text` folds them."""
    parts = pc.split_pattern(texts, separator)
    spaced = pc.replace_substring_regex(pc.utf8_lower(texts), f"[^a-z0-9{separator}]+", " ")
    spaced = pc.replace_substring_regex(spaced, f" ?{separator} ?", _BETWEEN)
    folded = pc.binary_join_element_wise(" ", pc.utf8_trim(spaced, " "), " ", "")
    others = np.flatnonzero(~np.asarray(pc.string_is_ascii(texts), np.bool_))
    if not len(others):
        return folded
    rows = folded.to_pylist()
    for row in others.tolist():
        rows[row] = folded_text(parts[row].as_py())
    return pa.array(rows, pa.string())


@dataclass(frozen=True, eq=False)
class FoldedTexts:
    """For each field the texts of a snapshot's rows, made by `folded_text`: string arrays of equal length.

    Without a field `any`, all fields count for it.
    """

    fields: Mapping[TextField, pa.Array | pa.ChunkedArray]

    def rows_with(self, words: str, field: TextField) -> NDArray[np.bool_] | None:
        """(n,) bool of the rows with these words next to each other; None if there are no texts of this field."""
        texts = [self.fields[field]] if field in self.fields else []
        if field == "any" and not texts:
            texts = list(self.fields.values())
        masks = [_contains(text, f" {plain_words(words)} ") for text in texts]
        return np.logical_or.reduce(masks) if masks else None


def _contains(texts: pa.Array | pa.ChunkedArray, words: str) -> NDArray[np.bool_]:
    found = pc.fill_null(pc.match_substring(texts, words), fill_value=False)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=bool)
