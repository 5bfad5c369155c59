"""Clusterings and what curators store of them: revisions, drafts, assignments, and their conflicts."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ClusterError, ContactSheetError

_ID_DIGITS = 64
_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class ClusterRecord:
    """One cluster of a saved clustering, with all that later assignments and the lineage of its name need.

    `name` is a suggestion until it is `confirmed`; `threshold` is the cosine similarity that a new asset has to reach;
    `representative` is an asset id; `cohesion` is the members' mean cosine similarity; `centroid` is (d,) float32 of
    unit length; `sample_ids` holds the smallest asset ids of its members, by which an edit finds it again later.
    """

    id: str
    name: str
    confirmed: bool
    description: str
    size: int
    threshold: float
    no_group: bool
    representative: str
    cohesion: float
    centroid: NDArray[np.float32]
    sample_ids: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Clustering:
    """Clusters and their members: `labels` is (n,) int32, row i an index into `clusters`, or -1 if unclustered."""

    asset_ids: tuple[str, ...]
    labels: NDArray[np.int32]
    clusters: tuple[ClusterRecord, ...]

    def validate(self) -> None:
        """Raise ClusterError unless ids, labels and clusters are consistent and centroids have unit length."""
        _check_ids(self.asset_ids)
        ids, labels, count = self.asset_ids, self.labels, len(self.clusters)
        if labels.dtype != np.int32 or labels.shape != (len(ids),):
            raise ClusterError(f"labels have to be ({len(ids)},) int32, not {labels.shape} {labels.dtype}")
        if len(labels) and not -1 <= labels.min() <= labels.max() < count:
            raise ClusterError(f"labels lie between -1 and {count - 1}, not {labels.min()} and {labels.max()}")
        distinct = len({c.id for c in self.clusters})
        if distinct < count:
            raise ClusterError(f"{count} clusters have only {distinct} different ids: give each its own")
        members = set(ids)
        for cluster in self.clusters:
            _check_centroid(cluster, self.clusters[0].centroid.shape)
            if not (math.isfinite(cluster.threshold) and math.isfinite(cluster.cohesion)):
                numbers = f"a threshold of {cluster.threshold} and a cohesion of {cluster.cohesion}"
                raise ClusterError(f"cluster {cluster.id} has {numbers}: both have to be finite")
            if not members.issuperset(cluster.sample_ids):
                raise ClusterError(f"the sketch of cluster {cluster.id} names assets that are not in the clustering")


@dataclass(frozen=True)
class Revision:
    """A saved clustering without its assignments; immutable, apart from its `name` and being `published`.

    `collection_version` identifies its assets, `size` counts them; `named_count` counts clusters with a confirmed name.
    `parent` is the revision it is based on, which may have been pruned since. A revision with a `name` is never pruned.
    """

    id: int
    collection: str
    collection_version: str
    parent: int | None
    threshold: float
    plan: Mapping[str, Any]
    author: str
    created_at: datetime
    note: str
    name: str
    published: bool
    size: int
    cluster_count: int
    named_count: int


@dataclass(frozen=True, eq=False)
class NewRevision:
    """A clustering to save as a revision, with the plan it comes from; fields as in `Revision`."""

    collection: str
    collection_version: str
    parent: int | None
    threshold: float
    plan: Mapping[str, Any]
    clustering: Clustering
    author: str
    note: str = ""


@dataclass(frozen=True)
class Publication:
    """The publication of a revision, and the revision it replaced (None for a collection's first)."""

    collection: str
    revision: int
    replaced: int | None
    author: str
    published_at: datetime


@dataclass(frozen=True)
class Draft:
    """A curator's unsaved edits on top of the revision `parent`; every update increments `version` by one.

    `owner` is the identity of the one who may change it, `author` the name that others read.
    """

    id: str
    collection: str
    parent: int | None
    history: Mapping[str, Any]
    author: str
    owner: str
    created_at: datetime
    updated_at: datetime
    version: int


@dataclass(frozen=True)
class Assignment:
    """The cluster that an asset added after a revision was assigned to, at this cosine similarity."""

    asset_id: str
    cluster_id: str
    similarity: float
    revision: int
    assigned_at: datetime


class RevisionConflict(ContactSheetError):
    """Someone else saved or published first, and nothing was written; `newest` is their revision."""

    def __init__(self, message: str, newest: Revision) -> None:
        self.newest = newest
        super().__init__(message)


class DraftConflict(ContactSheetError):
    """The draft was changed elsewhere, and nothing was written; `current` is its current state."""

    def __init__(self, message: str, current: Draft) -> None:
        self.current = current
        super().__init__(message)


def _check_ids(ids: tuple[str, ...]) -> None:
    if {len(i) for i in ids} - {_ID_DIGITS} or not re.fullmatch("[0-9a-f]*", "".join(ids)):
        wrong = next(i for i in ids if not re.fullmatch(f"[0-9a-f]{{{_ID_DIGITS}}}", i))
        raise ClusterError(f"an asset's id has {_ID_DIGITS} hexadecimal digits in lower case, not {wrong!r}")
    if len(set(ids)) < len(ids):
        raise ClusterError(f"{len(ids)} assets have only {len(set(ids))} different ids: give each asset once")


def _check_centroid(cluster: ClusterRecord, shape: tuple[int, ...]) -> None:
    centroid = cluster.centroid
    if centroid.dtype != np.float32 or centroid.ndim != 1 or centroid.shape != shape:
        raise ClusterError(
            f"the centroid of cluster {cluster.id} has to be {shape} float32 like the first one, of one dimension,"
            f" not {centroid.shape} {centroid.dtype}"
        )
    length = float(np.linalg.norm(centroid))
    if not abs(length - 1) <= _UNIT_TOLERANCE:
        raise ClusterError(f"the centroid of cluster {cluster.id} has to be of unit length, not {length:.4g}")
