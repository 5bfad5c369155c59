"""The maps of collections: fitted in the background, kept, newcomers placed on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.atlas.fit import SEED, closed_up, fit_map, framed, main_axes
from core.atlas.level_of_detail import Levels, priority_of
from core.atlas.placement import place, refit_suggested
from core.cache import OnceCache
from core.errors import JobError
from core.jobs.background import BackgroundJobs
from core.records.jobs import Job, ProgressListener, ignore
from core.store.lance.snapshot import Snapshot
from core.store.objects.map_files import MapFiles, StoredMap

MAP = "map"
MOST_KEPT = 6


@dataclass(frozen=True, eq=False)
class Map:
    """Where the pictures of a collection lie.

    `coordinates` (n, 2) float32 are those of the snapshot's rows, without wide empty strips between them (`closed_up`);
    `placed` of them were put beside their neighbours after the fit. A `provisional` map shows the two main axes until
    the first fit has ended.
    """

    coordinates: NDArray[np.float32]
    asset_ids: tuple[str, ...]
    placed: int
    provisional: bool

    @cached_property
    def levels(self) -> Levels:
        """What drawing needs, worked out once."""
        digits = bytes.fromhex("".join(self.asset_ids))
        return Levels(self.coordinates, priority_of(np.frombuffer(digits, np.uint8).reshape(-1, 32)))

    @property
    def refit_suggested(self) -> bool:
        """Whether so many have been placed that the map should be fitted again."""
        return not self.provisional and refit_suggested(self.placed, len(self.asset_ids) - self.placed)


class AtlasService:
    """May be shared between threads."""

    def __init__(
        self, snapshots: Callable[[str], Snapshot], maps: Callable[[str], MapFiles], background: BackgroundJobs
    ) -> None:
        """`snapshots` and `maps` are by collection."""
        self._snapshots, self._maps, self._background = snapshots, maps, background
        self._kept = OnceCache(MOST_KEPT)

    def map(self, collection: str) -> Map:
        """The newest map with newcomers placed on it; a provisional one where there is none yet."""
        snapshot, maps = self._snapshots(collection), self._maps(collection)

        def made() -> Map:
            stored = maps.latest()
            laid = _laid(snapshot, stored.asset_ids, stored.coordinates) if stored else _provisional(snapshot)
            return replace(laid, coordinates=closed_up(laid.coordinates))

        return self._kept.get_or_create((collection, snapshot.version, snapshot.order, maps.change_mark()), made)

    def refresh(self, collection: str, author: str, again: bool = False) -> Job | None:
        """Start a fit in the background where there is no map, or `again`; None if there is one, or a fit runs."""
        if self._maps(collection).change_mark() and not again:
            return None
        try:
            return self._background.start(MAP, collection, {}, author)
        except JobError:
            return None

    def fit(self, collection: str, listener: ProgressListener = ignore) -> str:
        """Fit and store the map of a collection as it is; what a background job does. Says what it did."""
        snapshot, stored = self._snapshots(collection), self._maps(collection).latest()
        start = _laid(snapshot, stored.asset_ids, stored.coordinates).coordinates if stored else None
        coordinates = fit_map(snapshot.vectors, start=start, listener=listener)
        fitted = np.ones(len(snapshot), bool)
        self._maps(collection).put(StoredMap(snapshot.version, snapshot.ids, coordinates, fitted, SEED))
        return f"{len(snapshot):,} pictures mapped"


def _provisional(snapshot: Snapshot) -> Map:
    axes = main_axes(snapshot.vectors) if len(snapshot) > 1 else np.zeros((len(snapshot), 2), np.float32)
    return Map(framed(axes) if len(snapshot) else axes, snapshot.ids, 0, provisional=True)


def _laid(snapshot: Snapshot, asset_ids: tuple[str, ...], coordinates: NDArray[np.float32]) -> Map:
    """A stored map on a snapshot: what it knows where it was, newcomers beside their neighbours."""
    if asset_ids == snapshot.ids:
        return Map(coordinates, snapshot.ids, 0, provisional=False)
    row_of = {asset_id: row for row, asset_id in enumerate(asset_ids)}
    rows = np.array([row_of.get(asset_id, -1) for asset_id in snapshot.ids], np.int64)
    known, laid = rows >= 0, np.empty((len(rows), 2), np.float32)
    laid[known] = coordinates[rows[known]]
    if not known.all():
        laid[~known] = place(snapshot.vectors[~known], snapshot.vectors[known], laid[known])
    return Map(laid, snapshot.ids, int((~known).sum()), provisional=False)
