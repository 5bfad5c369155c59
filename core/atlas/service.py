"""The maps of collections: fitted in the background, stored, with new assets placed on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.access import Access, Action, Person
from core.atlas.fit import SEED, close_gaps, fit_map, frame_map, principal_components
from core.atlas.level_of_detail import LevelOfDetail, sampling_priority
from core.atlas.placement import place_points, refit_suggested
from core.cache import OnceCache
from core.errors import JobError
from core.jobs.background import BackgroundJobs
from core.records.jobs import Job, ProgressListener, ignore
from core.store.lance.snapshot import Snapshot, require_same_collection
from core.store.objects.map_files import MapFiles, StoredMap
from core.text import counted

MAP_JOB = "map"
MAX_CACHED_MAPS = 6


@dataclass(frozen=True, eq=False)
class Map:
    """The coordinates of a collection's assets.

    `coordinates` (n, 2) float32 are in the snapshot's row order, without wide empty strips (see `close_gaps`); `placed`
    of them were placed beside their neighbours after the fit. A `provisional` map shows the first two principal
    components until the first fit has ended.
    """

    coordinates: NDArray[np.float32]
    asset_ids: tuple[str, ...]
    placed: int
    provisional: bool

    @cached_property
    def level_of_detail(self) -> LevelOfDetail:
        """The map prepared for drawing, computed once."""
        digits = bytes.fromhex("".join(self.asset_ids))
        return LevelOfDetail(self.coordinates, sampling_priority(np.frombuffer(digits, np.uint8).reshape(-1, 32)))

    @property
    def refit_suggested(self) -> bool:
        """Whether so many assets have been placed that the map should be fitted again."""
        return not self.provisional and refit_suggested(self.placed, len(self.asset_ids) - self.placed)


class AtlasService:
    """Fits, stores and caches maps. Thread-safe."""

    def __init__(
        self,
        snapshots: Callable[[str], Snapshot],
        maps: Callable[[str], MapFiles],
        background: BackgroundJobs,
        access: Access,
    ) -> None:
        """`snapshots` and `maps` are by collection."""
        self._snapshots, self._maps, self._background, self._access = snapshots, maps, background, access
        self._cache = OnceCache(MAX_CACHED_MAPS)

    def map(self, collection: str) -> Map:
        """The newest map with new assets placed on it; a provisional one if there is none yet."""
        snapshot, maps = self._snapshots(collection), self._maps(collection)

        def load() -> Map:
            stored = maps.latest()
            found = _on_snapshot(stored, snapshot) if stored else _provisional(snapshot)
            return replace(found, coordinates=close_gaps(found.coordinates))

        return self._cache.get_or_create((collection, snapshot.version, snapshot.order_hash, maps.change_token()), load)

    def refresh(self, collection: str, author: str) -> Job | None:
        """Start a background fit if there is no map.

        None if there is one, if a fit is running, or if one failed for this version: a curator may resume that one.
        """
        if self._maps(collection).change_token():
            return None
        version = self._snapshots(collection).version
        return self._background.start_once(MAP_JOB, collection, {"version": version}, author)

    def refit(self, person: Person, collection: str) -> Job | None:
        """Start a background fit, whether there is a map or not; None if one is running. Raises NotAllowed."""
        with self._access.acting(person, Action.RECOMPUTE_MAP, collection):
            return self.start_fit(collection, person.author)

    def start_fit(self, collection: str, author: str) -> Job | None:
        """The same without asking who may, for what was allowed already."""
        try:
            return self._background.start(MAP_JOB, collection, {}, author)
        except JobError:
            return None

    def fit(self, collection: str, listener: ProgressListener = ignore) -> str:
        """Fit and store the map of a collection as it is now, as a background job does; returns a summary."""
        snapshot, stored = self._snapshots(collection), self._maps(collection).latest()
        start = _on_snapshot(stored, snapshot).coordinates if stored else None
        coordinates = fit_map(snapshot.vectors, start=start, listener=listener)
        fitted = np.ones(len(snapshot), bool)
        require_same_collection(collection, snapshot, self._snapshots(collection))
        self._maps(collection).put(StoredMap(snapshot.version, snapshot.ids, coordinates, fitted, SEED))
        return f"{counted(len(snapshot), 'picture')} mapped"


def _provisional(snapshot: Snapshot) -> Map:
    if len(snapshot) > 1:
        coordinates = frame_map(principal_components(snapshot.vectors))
    else:
        coordinates = np.zeros((len(snapshot), 2), np.float32)
    return Map(coordinates, snapshot.ids, 0, provisional=True)


def _on_snapshot(stored: StoredMap, snapshot: Snapshot) -> Map:
    """A stored map for the rows of a snapshot: known assets where they were, new ones beside their neighbours."""
    if stored.asset_ids == snapshot.ids:
        return Map(stored.coordinates, snapshot.ids, 0, provisional=False)
    row_of = {asset_id: row for row, asset_id in enumerate(stored.asset_ids)}
    rows = np.array([row_of.get(asset_id, -1) for asset_id in snapshot.ids], np.int64)
    known, coordinates = rows >= 0, np.empty((len(rows), 2), np.float32)
    coordinates[known] = stored.coordinates[rows[known]]
    if not known.all():
        coordinates[~known] = place_points(snapshot.vectors[~known], snapshot.vectors[known], coordinates[known])
    return Map(coordinates, snapshot.ids, int((~known).sum()), provisional=False)
