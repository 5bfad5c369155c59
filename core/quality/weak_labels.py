"""Weak labels: a photo that people downloaded after a search counts as an answer to that search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from core.errors import QualityError
from core.quality.label_sets import LabelledQuery, LabelSet
from core.records.jobs import ProgressListener, ignore

KIND = "conversion"


class SearchDownload(Protocol):
    """A download of a photo after a search, as in Unsplash's table `conversions`."""

    @property
    def keyword(self) -> str: ...

    @property
    def photo_id(self) -> str: ...


@dataclass(frozen=True)
class WeakLabelLimits:
    """Minimum `downloads` of a photo after one search, minimum `photos` of a query, maximum number of `queries`."""

    downloads: int = 2
    photos: int = 4
    queries: int = 500


class WeakLabels:
    """Builds label sets from the conversions of datasets."""

    def __init__(
        self,
        conversions: Callable[[str, ProgressListener], Iterable[SearchDownload]],
        photos: Callable[[str], Mapping[str, str]],
    ) -> None:
        """`conversions` reads those of a dataset; `photos` gives the asset ids of a collection by photo id."""
        self._conversions, self._photos = conversions, photos

    def label_set(
        self,
        place: str,
        collection: str,
        limits: WeakLabelLimits = WeakLabelLimits(),
        listener: ProgressListener = ignore,
    ) -> LabelSet:
        """The weak labels of a collection, from the dataset at `place` (a folder, a ZIP or its address).

        Raises QualityError where there are none, CollectionError, and ContactSheetError if the dataset cannot be read.
        """
        asset_ids = self._photos(collection)
        if not asset_ids:
            raise QualityError(
                f"{collection} holds no photo of an Unsplash dataset, and only those have download records: add some "
                "with `python -m core ingest-unsplash`, or choose their collection with --collection"
            )
        labels = weak_labels(self._conversions(place, listener), asset_ids, limits, f"conversions-{collection}.jsonl")
        if not labels.queries:
            raise QualityError(
                f"no search in {place} led to {limits.downloads} downloads each of {limits.photos} of the "
                f"{len(asset_ids)} Unsplash photos in {collection}: lower --downloads or --photos, or add more of the "
                "dataset"
            )
        return labels


def weak_labels(
    conversions: Iterable[SearchDownload],
    asset_ids: Mapping[str, str],
    limits: WeakLabelLimits = WeakLabelLimits(),
    name: str = "conversions",
) -> LabelSet:
    """Queries from searches, the most downloaded first; all grades are 1, since a download does not say how relevant.

    `asset_ids` has the asset id of each photo id; conversions of other photos are skipped, so that only the
    collection's own searches are held in memory. Searches are compared without case and surplus spaces.
    """
    downloads: Counter[tuple[str, str]] = Counter()
    for conversion in conversions:
        keyword = " ".join(conversion.keyword.split()).casefold()
        if keyword and conversion.photo_id in asset_ids:
            downloads[keyword, asset_ids[conversion.photo_id]] += 1
    queries: dict[str, dict[str, int]] = {}
    for (keyword, asset_id), count in downloads.items():
        if count >= limits.downloads:
            queries.setdefault(keyword, {})[asset_id] = count
    well_covered = {keyword: found for keyword, found in queries.items() if len(found) >= limits.photos}
    best = sorted(well_covered, key=lambda keyword: (-sum(well_covered[keyword].values()), keyword))[: limits.queries]
    return LabelSet(
        name, tuple(_query(number, keyword, well_covered[keyword]) for number, keyword in enumerate(best, 1))
    )


def _query(number: int, keyword: str, downloads: Mapping[str, int]) -> LabelledQuery:
    note = f"{sum(downloads.values())} downloads"
    return LabelledQuery(f"c{number:04}", keyword, KIND, dict.fromkeys(sorted(downloads), 1), note)
