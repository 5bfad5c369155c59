"""What is written about the pictures of a collection, as one column of texts per field."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from core.records.queries import TextField
from core.store.lance.folded_texts import FoldedTexts, folded_column
from core.text import plain

COLUMNS = [
    *("id", "uris", "title", "headline", "description", "keywords", "hierarchies", "people", "author", "credit"),
    *("sublocation", "city", "state", "country"),
]
FIELDS: tuple[TextField, ...] = ("title", "description", "keyword", "person", "place", "author", "name")
# Between two texts of one field or picture: no words stand next to each other across it.
SEPARATOR = "\n"
MAX_WRITTEN = 300


@dataclass(frozen=True, eq=False)
class TextColumns:
    """The texts of assets; row i of every column is the asset `ids[i]`.

    A text of several values, like keywords, has them one per line. Names are those of files, without their suffix.
    """

    ids: tuple[str, ...]
    texts: dict[str, Any] = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def aligned_to(self, asset_ids: Sequence[str]) -> TextColumns:
        """The same texts in the order of `asset_ids`; those of unknown assets are empty."""
        if self.ids == tuple(asset_ids):
            return self
        row_of = {asset_id: row for row, asset_id in enumerate(self.ids)}
        rows = pa.array([row_of.get(asset_id) for asset_id in asset_ids], pa.int64())
        texts = {name: column.take(rows).fill_null("") for name, column in self.texts.items()}
        return TextColumns(tuple(asset_ids), texts)

    def rows_in(self, other: TextColumns) -> NDArray[np.intp]:
        """(n,) for each row here the row of the same asset with the same text in `other`; -1 if there is none."""
        row_of = {asset_id: row for row, asset_id in enumerate(other.ids)}
        rows = np.array([row_of.get(asset_id, -1) for asset_id in self.ids], np.intp)
        known = np.flatnonzero(rows >= 0)
        same = pc.equal(self.combined.take(pa.array(known)), other.combined.take(pa.array(rows[known])))
        rows[known[~np.asarray(same, np.bool_)]] = -1
        return rows

    @cached_property
    def combined(self) -> Any:
        """All that is written about each asset as one text without case and accents, file names also in their parts."""
        names = self.texts["name"]
        parts = pc.replace_substring_regex(names, r"(\p{Ll})(\p{Lu})", r"\1 \2")
        parts = pc.replace_substring_regex(parts, r"(\pL)(\pN)", r"\1 \2")
        parts = pc.replace_substring_regex(parts, r"(\pN)(\pL)", r"\1 \2")
        parts = pc.if_else(pc.equal(parts, names), "", parts)
        return _plain(_joined([*(self.texts[name] for name in FIELDS), parts]))

    @cached_property
    def digest(self) -> str:
        """32 hexadecimal digits that change with what a person wrote, or with which asset it is about."""
        digest = hashlib.blake2b("".join(self.ids).encode(), digest_size=16)
        for buffer in filter(None, self._written.buffers()):
            digest.update(buffer)
        return digest.hexdigest()

    @cached_property
    def with_text(self) -> NDArray[np.bool_]:
        """(n,) bool: whether a person wrote anything about the asset, its file name apart."""
        return np.asarray(pc.not_equal(self._written, ""), np.bool_)

    def written(self, row: int, max_length: int = MAX_WRITTEN) -> str:
        """What a person wrote about one asset, title first, in one line."""
        text = str(self._written[row])
        return " ".join(text.replace(SEPARATOR, ". ").split())[:max_length]

    @cached_property
    def _written(self) -> Any:
        return _joined([self.texts[name] for name in ("title", "description", "keyword")])

    @cached_property
    def folded(self) -> FoldedTexts:
        """The texts as conditions look for words in them."""
        names: dict[TextField, Any] = {name: folded_column(self.texts[name], SEPARATOR) for name in FIELDS}
        return FoldedTexts(names)

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Every word that is written, without case and accents, and how often."""
        counts = Counter[str]()
        for column in self.folded.fields.values():
            words = pc.value_counts(pc.split_pattern(column, " ").flatten())
            counts.update(dict(zip(words.field(0).to_pylist(), words.field(1).to_pylist(), strict=True)))
        return {word: count for word, count in counts.items() if word not in ("", "|")}


def read_text_columns(batches: Iterable[pa.RecordBatch]) -> TextColumns:
    """Build TextColumns from batches of rows with `COLUMNS`."""
    ids = list[str]()
    parts = {str(name): [pa.array([], pa.string())] for name in FIELDS}
    for batch in batches:
        ids += batch["id"].to_pylist()
        for name, read in _READ.items():
            parts[name].append(read(batch))
    return TextColumns(tuple(ids), {name: pa.concat_arrays(chunks) for name, chunks in parts.items()})


def _joined(columns: Sequence[Any]) -> Any:
    """The texts of several columns, each on lines of its own; empty ones leave no line."""
    # Not with null_handling="skip": Arrow 26 leaves out the rows all of whose texts are null.
    joined = pc.binary_join_element_wise(*columns, SEPARATOR)
    return pc.utf8_trim(pc.replace_substring_regex(joined, f"{SEPARATOR}+", SEPARATOR), SEPARATOR)


def _plain(texts: Any) -> Any:
    """A column of texts without case and accents."""
    lowered = pc.utf8_lower(texts)
    others = np.flatnonzero(~np.asarray(pc.string_is_ascii(texts), np.bool_))
    if not len(others):
        return lowered
    rows = lowered.to_pylist()
    for row in others.tolist():
        rows[row] = plain(texts[row].as_py())
    return pa.array(rows, pa.string())


def _texts(*names: str) -> Callable[[pa.RecordBatch], Any]:
    return lambda batch: _joined([batch[name].fill_null("") for name in names])


def _lists(*names: str) -> Callable[[pa.RecordBatch], Any]:
    return lambda batch: _joined([pc.binary_join(batch[name], SEPARATOR).fill_null("") for name in names])


def _keywords(batch: pa.RecordBatch) -> Any:
    return pc.replace_substring(_lists("keywords", "hierarchies")(batch), "|", SEPARATOR)


def _names(batch: pa.RecordBatch) -> Any:
    """The names of each asset's files, one per line, decoded, without folders and suffixes."""
    names = pc.replace_substring_regex(pc.binary_join(batch["uris"], SEPARATOR).fill_null(""), r"[^\n]*/", "")
    names = pc.replace_substring_regex(names, r"\.[A-Za-z0-9]{1,5}(\n|$)", r"\1")
    encoded = np.flatnonzero(np.asarray(pc.match_substring(names, "%")))
    if not len(encoded):
        return names
    decoded = names.to_pylist()
    for row in encoded.tolist():
        decoded[row] = unquote(decoded[row])
    return pa.array(decoded, pa.string())


# How each field is read from a batch.
_READ: dict[str, Callable[[pa.RecordBatch], Any]] = {
    "title": _texts("title", "headline"),
    "description": _texts("description"),
    "keyword": _keywords,
    "person": _lists("people"),
    "place": _texts("sublocation", "city", "state", "country"),
    "author": _texts("author", "credit"),
    "name": _names,
}
