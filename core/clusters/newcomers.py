"""Pictures that arrive after a revision was published: each finds its cluster, or founds one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.assign import Assigned, assign, dry_run
from core.clusters.checks import check_edit
from core.clusters.edits import SetThreshold
from core.curation import Assignment, Clustering, Revision
from core.errors import ClusterError
from core.store.assignments import Assignments
from core.store.revisions import Revisions
from core.store.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class Centres:
    """The clusters that newcomers may join: ids, unit centroids (k, d) and thresholds (k,)."""

    ids: tuple[str, ...]
    centroids: NDArray[np.float32]
    thresholds: NDArray[np.float64]


@dataclass(frozen=True)
class Rehearsed:
    """A picture that would go elsewhere; None is a new cluster of its own."""

    asset_id: str
    title: str
    before: str | None
    after: str | None
    similarity: float


@dataclass(frozen=True)
class Rehearsal:
    """What would have become of the last pictures under another threshold: how many were tried, and which change."""

    tried: int
    changes: tuple[Rehearsed, ...]


class Newcomers:
    """Assignments to the published revisions. May be shared between threads."""

    def __init__(
        self, snapshots: Callable[[str], Snapshot], revisions: Revisions, assignments: Assignments,
        clustering: Callable[[int], Clustering], outlived: Callable[[Revision], bool] = lambda _: False,
    ) -> None:  # fmt: skip
        """`outlived` tells of revisions made with another model: their centroids and thresholds mean nothing now."""
        self._outlived = outlived
        self._snapshots, self._revisions, self._assignments = snapshots, revisions, assignments
        self._clustering = clustering

    def place(self, collection: str) -> int:
        """Assign every picture that the published revision does not know and that has no place yet; says how many.

        Whatever ended an earlier ingest, the next one finds the same pictures without a place.
        """
        published = self._revisions.published(collection)
        if published is None or self._outlived(published):
            return 0
        snapshot, clustering = self._snapshots(collection), self._clustering(published.id)
        placed = self._assignments.of(collection, published.id)
        known = {*clustering.asset_ids, *(a.asset_id for a in placed)}
        rows = [row for row, asset_id in enumerate(snapshot.ids) if asset_id not in known]
        if not rows:
            return 0
        rows.sort(key=lambda row: snapshot.ids[row])
        centres = _centres(clustering, placed, snapshot, published.threshold)
        assigned = assign(snapshot.vectors[rows], centres.centroids, centres.thresholds, published.threshold)
        ids = _cluster_ids(assigned, centres.ids, [snapshot.ids[row] for row in rows])
        found = zip(rows, ids, assigned.similarity.tolist(), strict=True)
        self._assignments.add(collection, published.id, [(snapshot.ids[row], i, s) for row, i, s in found])
        return len(rows)

    def of(self, collection: str, revision: Revision) -> list[Assignment]:
        """Who arrived since a revision was published, and where."""
        return list(self._assignments.of(collection, revision.id))

    def rehearse(self, collection: str, threshold: float, last: int) -> Rehearsal:
        """What would change if the `last` pictures arrived again and every cluster's threshold were another.

        Raises ClusterError if nothing is published, or for a threshold or a number of pictures that is not possible.
        """
        check_edit(SetThreshold(threshold))
        if last < 1:
            raise ClusterError(f"{last} pictures cannot be tried: choose 1 or more")
        published = self._revisions.published(collection)
        if published is None:
            raise ClusterError(f"{collection} has no published clusters: publish a revision first")
        if self._outlived(published):
            raise ClusterError(f"the published clusters of {collection} were made with another model: publish new ones")
        snapshot, clustering = self._snapshots(collection), self._clustering(published.id)
        rows = np.argsort(-snapshot.ingested_us, kind="stable")[:last]
        centres = _centres(clustering, [], snapshot, published.threshold)
        names = {c.id: c.name or c.id for c in clustering.clusters}
        changes = dry_run(snapshot.vectors[rows], centres.centroids, centres.thresholds, threshold)

        def named(number: int) -> str | None:
            return names[centres.ids[number]] if number >= 0 else None

        return Rehearsal(len(rows), tuple(
            Rehearsed(snapshot.ids[row], snapshot.titles[row], named(c.before), named(c.after), c.similarity)
            for c in changes for row in [int(rows[c.row])]
        ))  # fmt: skip


def _centres(clustering: Clustering, placed: Sequence[Assignment], snapshot: Snapshot, threshold: float) -> Centres:
    """The published clusters, and those that newcomers founded since."""
    dimension = snapshot.vectors.shape[1]
    joinable = [c for c in clustering.clusters if not c.no_group]
    ids, centroids = [c.id for c in joinable], [c.centroid for c in joinable]
    thresholds = [c.threshold for c in joinable]
    row_of, known = {asset_id: row for row, asset_id in enumerate(snapshot.ids)}, {c.id for c in clustering.clusters}
    founded: dict[str, list[int]] = {}
    for assignment in placed:
        if assignment.cluster_id not in known and assignment.asset_id in row_of:
            founded.setdefault(assignment.cluster_id, []).append(row_of[assignment.asset_id])
    for cluster_id, rows in founded.items():
        total = snapshot.vectors[rows].sum(axis=0)
        ids.append(cluster_id)
        centroids.append(total / max(float(np.linalg.norm(total)), 1e-12))
        thresholds.append(threshold)
    matrix = np.array(centroids, np.float32).reshape(len(centroids), dimension)
    return Centres(tuple(ids), matrix, np.array(thresholds, np.float64))


def _cluster_ids(assigned: Assigned, known: tuple[str, ...], asset_ids: list[str]) -> list[str]:
    """The id of each newcomer's cluster; one that they found is called after its founder."""
    founded: dict[int, str] = {}
    ids = []
    for number, asset_id in zip(assigned.cluster.tolist(), asset_ids, strict=True):
        ids.append(known[number] if number < len(known) else founded.setdefault(number, f"n{asset_id[:10]}"))
    return ids
