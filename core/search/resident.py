"""One state of a collection in memory: its snapshot, what filters need, and its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.cache import OnceCache
from core.errors import QueryError
from core.records.assets import Filters
from core.records.queries import Query
from core.search.collection_words import CollectionWords
from core.search.conditions import conditions_mask
from core.search.filters import Facets, FilterColumns
from core.search.query_language.collection_names import CollectionNames
from core.search.stemming import Language
from core.store.lance.snapshot import Snapshot
from core.store.lance.text_columns import TextColumns

MAX_CACHED_MASKS = 16
ABSENCE = ("without", "no")  # in English texts; captions in other languages are left out for having the word
MIN_ID_LENGTH = 8  # digits of an id that may stand for the whole


@dataclass(frozen=True)
class Resident:
    """A snapshot with the rows that recent filters leave; the token changes with every commit."""

    collection: str
    change_token: int
    snapshot: Snapshot
    row_of: dict[str, int]
    columns: FilterColumns
    facets: Facets
    newest_first: NDArray[np.intp]
    words: CollectionWords
    masks: OnceCache = field(default_factory=lambda: OnceCache(MAX_CACHED_MASKS))

    @cached_property
    def names(self) -> CollectionNames:
        """The names by which sentences about the collection are read."""
        return CollectionNames(self.facets)

    def rows_of(self, asset_ids: Sequence[str]) -> tuple[int, ...]:
        """The rows of assets, named by their ids or the beginning of them.

        Raises QueryError for one that is unknown, or a beginning that several share.
        """
        return tuple(self._row_of(asset_id) for asset_id in asset_ids)

    def _row_of(self, asset_id: str) -> int:
        row = self.row_of.get(asset_id)
        if row is None:
            beginning = asset_id.lower()
            longer = (i for i in self.snapshot.ids if i.startswith(beginning))
            found = [i for _, i in zip(range(2), longer, strict=False)] if len(beginning) >= MIN_ID_LENGTH else []
            if len(found) > 1:
                raise QueryError(f"several pictures of {self.collection} have an id with {beginning}: give more of it")
            if not found:
                raise QueryError(
                    f"collection {self.collection} has no picture {asset_id[:12]!r}: it may have been removed"
                )
            row = self.row_of[found[0]]
        return row

    def mask(self, filters: Filters) -> NDArray[np.bool_]:
        """(n,) bool: the rows that the filters leave. Shared: it must not be changed."""
        return self.masks.get_or_create(filters, lambda: self._mask(filters))

    def _mask(self, filters: Filters) -> NDArray[np.bool_]:
        mask = self.columns.mask(filters)
        return np.ones(len(self.snapshot), np.bool_) if mask is None else mask

    def allowed(self, query: Query, filters: Filters) -> NDArray[np.bool_]:
        """(n,) bool: the rows that may be results of a query under filters: they meet its conditions.

        Pictures that it starts from are none, nor are those whose texts have all the words of something unwanted,
        unless they say that it is not there.
        """
        mask = self.mask(filters).copy()
        if query.conditions:
            met = conditions_mask(query.conditions, self.columns, self.words.columns.folded)
            mask &= True if met is None else met
        mask[list(self.rows_of((*query.like, *query.unlike)))] = False
        for wish in query.wishes:
            if wish.weight < 0:
                written = np.zeros(len(mask), np.bool_)
                written[self.words.rows_with_all(wish.text)] = True
                mask &= ~written | self._says_absent(wish.text)
        return mask

    def _says_absent(self, thing: str) -> NDArray[np.bool_]:
        """(n,) bool: whether a text says `without leaves` of leaves."""
        texts = self.words.columns.folded
        masks = (texts.rows_with(f"{word} {thing}", "any") for word in ABSENCE)
        return np.asarray(np.logical_or.reduce([mask for mask in masks if mask is not None]), np.bool_)


def make_resident(
    collection: str,
    change_token: int,
    snapshot: Snapshot,
    read_texts: Callable[[], TextColumns],
    language: Language,
    before: Resident | None = None,
) -> Resident:
    """The state of a snapshot; `read_texts` is called when words are first looked for.

    `before` is an earlier state of the same collection.
    """
    columns = FilterColumns(snapshot)
    return Resident(
        collection=collection,
        change_token=change_token,
        snapshot=snapshot,
        row_of={asset_id: row for row, asset_id in enumerate(snapshot.ids)},
        columns=columns,
        facets=columns.facets(),
        newest_first=np.lexsort((np.arange(len(snapshot)), -snapshot.ingested_us)),
        words=CollectionWords(read_texts, snapshot.ids, language, before.words if before else None),
    )
