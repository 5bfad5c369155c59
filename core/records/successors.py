"""Which pictures took the place of others: an edited file holds a new picture, and what people did stays with it.

What is saved keeps the old ids; whoever reads it follows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.records.clusterings import Clustering


@dataclass(frozen=True)
class Successors:
    """The picture that each replaced picture of a collection was replaced by, as sorted pairs of ids (old, new).

    Chains are resolved: no new id is an old one.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def by_id(self) -> dict[str, str]:
        """The new id of every old one."""
        return dict(self.pairs)

    def id(self, asset_id: str) -> str:
        """The id that a picture has now."""
        return self.by_id.get(asset_id, asset_id)

    def document(self, document: Any) -> Any:
        """A JSON document in which every old id is the new one."""
        return _followed(document, self.by_id) if self.pairs else document

    def clustering(self, saved: Clustering) -> Clustering:
        """A saved clustering with the pictures of now, ids ascending; each is in it once."""
        by_id = self.by_id
        if by_id.keys().isdisjoint(saved.asset_ids):
            return saved
        rows = {by_id.get(asset_id, asset_id): row for row, asset_id in reversed(list(enumerate(saved.asset_ids)))}
        ids = tuple(sorted(rows))
        clusters = (
            replace(
                cluster,
                representative=by_id.get(cluster.representative, cluster.representative),
                sample_ids=tuple(sorted({by_id.get(asset_id, asset_id) for asset_id in cluster.sample_ids})),
            )
            for cluster in saved.clusters
        )
        labels = saved.labels[np.array([rows[asset_id] for asset_id in ids], np.int64)]
        return Clustering(ids, labels, tuple(clusters))


def resolved(replaced: Iterable[tuple[str, str]]) -> Successors:
    """Successors from replacements (old, new) in the order of their happening; a picture that came back is itself."""
    by_id: dict[str, str] = {}
    for old, new in replaced:
        by_id.pop(new, None)  # so no chain can end where it began
        if old != new:
            by_id[old] = new
    return Successors(tuple(sorted((old, _last(by_id, old)) for old in by_id)))


def _last(by_id: Mapping[str, str], asset_id: str) -> str:
    while asset_id in by_id:
        asset_id = by_id[asset_id]
    return asset_id


def _followed(document: Any, by_id: Mapping[str, str]) -> Any:
    if isinstance(document, str):
        return by_id.get(document, document)
    if isinstance(document, Mapping):
        return {by_id.get(key, key): _followed(value, by_id) for key, value in document.items()}
    if isinstance(document, (list, tuple)):
        return [_followed(value, by_id) for value in document]
    return document
