"""Pictures that arrive after a revision was published: each finds its cluster, or founds one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import SetThreshold
from core.clusters.edits.validation import check_edit
from core.errors import ClusterError
from core.records.clusterings import Assignment, Clustering, Revision
from core.store.lance.snapshot import Snapshot
from core.store.sql.assignment_store import AssignmentStore
from core.store.sql.revision_store import RevisionStore


@dataclass(frozen=True, eq=False)
class PublishedCentroids:
    """The clusters that newcomers may join: ids, unit centroids (k, d) and thresholds (k,)."""

    ids: tuple[str, ...]
    centroids: NDArray[np.float32]
    thresholds: NDArray[np.float64]


@dataclass(frozen=True)
class PreviewedAssignment:
    """A picture that would go elsewhere; None is a new cluster of its own."""

    asset_id: str
    title: str
    before: str | None
    after: str | None
    similarity: float


@dataclass(frozen=True)
class AssignmentPreview:
    """What would have become of the last pictures under another threshold: how many were tried, and which change."""

    tried: int
    changes: tuple[PreviewedAssignment, ...]


class AssignmentService:
    """Assignments to the published revisions. May be shared between threads."""

    def __init__(
        self,
        snapshots: Callable[[str], Snapshot],
        revisions: RevisionStore,
        assignments: AssignmentStore,
        clustering: Callable[[int], Clustering],
        outlived: Callable[[Revision], bool] = lambda _: False,
    ) -> None:
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

    def rehearse(self, collection: str, threshold: float, last: int) -> AssignmentPreview:
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
        changes = preview_reassignments(snapshot.vectors[rows], centres.centroids, centres.thresholds, threshold)

        def named(number: int) -> str | None:
            return names[centres.ids[number]] if number >= 0 else None

        return AssignmentPreview(
            len(rows),
            tuple(
                PreviewedAssignment(
                    snapshot.ids[row], snapshot.titles[row], named(c.before), named(c.after), c.similarity
                )
                for c in changes
                for row in [int(rows[c.row])]
            ),
        )


def _centres(
    clustering: Clustering, placed: Sequence[Assignment], snapshot: Snapshot, threshold: float
) -> PublishedCentroids:
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
    return PublishedCentroids(tuple(ids), matrix, np.array(thresholds, np.float64))


def _cluster_ids(assigned: Assigned, known: tuple[str, ...], asset_ids: list[str]) -> list[str]:
    """The id of each newcomer's cluster; one that they found is called after its founder."""
    founded: dict[int, str] = {}
    ids = []
    for number, asset_id in zip(assigned.cluster.tolist(), asset_ids, strict=True):
        ids.append(known[number] if number < len(known) else founded.setdefault(number, f"n{asset_id[:10]}"))
    return ids


BLOCK_ROWS = 8192


@dataclass(frozen=True, eq=False)
class Assigned:
    """Where newcomers go: `cluster` (m,) int64 and the cosine `similarity` (m,) float32 to its centroid.

    Numbers from the count of centroids on are new clusters, in the order in which they came up.
    """

    cluster: NDArray[np.int64]
    similarity: NDArray[np.float32]


def assign(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32], thresholds: NDArray[np.floating], new_threshold: float
) -> Assigned:
    """Assign (m, d) float32 unit vectors to (k, d) unit centroids.

    A vector goes to its nearest centroid if their cosine is at least that cluster's threshold, (k,). Those left over
    are taken in order: each joins the nearest cluster that earlier ones of them founded if the cosine to its normalised
    mean is at least `new_threshold`, otherwise it founds one. Raises ClusterError where shapes do not fit.
    """
    _check(vectors, centroids, thresholds)
    nearest, similarity = _nearest(vectors, centroids)
    left_over = np.flatnonzero((nearest < 0) | (similarity < np.append(thresholds, np.inf)[nearest]))
    founded = _found(vectors[left_over], new_threshold)
    nearest[left_over], similarity[left_over] = founded.cluster + len(centroids), founded.similarity
    return Assigned(nearest, similarity)


def _check(vectors: NDArray[np.float32], centroids: NDArray[np.float32], thresholds: NDArray[np.floating]) -> None:
    if centroids.ndim != 2 or vectors.ndim != 2 or centroids.shape[1] != vectors.shape[1]:
        raise ClusterError(f"vectors {vectors.shape} and centroids {centroids.shape} do not fit: same model?")
    if thresholds.shape != (len(centroids),):
        raise ClusterError(f"there are {thresholds.shape} thresholds for {len(centroids)} centroids: give one to each")


def _nearest(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    nearest, similarity = np.full(len(vectors), -1), np.full(len(vectors), -np.inf, np.float32)
    if not len(centroids):
        return nearest, similarity
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        to_all = vectors[block] @ centroids.T
        nearest[block] = to_all.argmax(axis=1)
        similarity[block] = to_all.max(axis=1)
    return nearest, similarity


def _found(vectors: NDArray[np.float32], threshold: float) -> Assigned:
    """Leader clustering: one pass, each to the nearest cluster founded so far, if it is near enough."""
    cluster, similarity = np.zeros(len(vectors), np.int64), np.ones(len(vectors), np.float32)
    sums, lengths, count = np.zeros_like(vectors), np.zeros(len(vectors), np.float32), 0
    for row, vector in enumerate(vectors):
        cosines = sums[:count] @ vector / lengths[:count]
        best = int(cosines.argmax()) if count else 0
        if count and cosines[best] >= threshold:
            similarity[row] = cosines[best]
        else:
            best, count = count, count + 1
        cluster[row] = best
        sums[best] += vector
        lengths[best] = max(float(np.linalg.norm(sums[best])), 1e-12)
    return Assigned(cluster, similarity)


@dataclass(frozen=True)
class Reassignment:
    """An asset that would go elsewhere: cluster numbers as in Assigned, -1 for a new cluster of its own."""

    row: int
    before: int
    after: int
    similarity: float


def preview_reassignments(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32], thresholds: NDArray[np.floating], proposed: float
) -> Sequence[Reassignment]:
    """What would change if these (m, d) newcomers arrived again and every cluster's threshold were `proposed`.

    Raises ClusterError where shapes do not fit.
    """
    _check(vectors, centroids, thresholds)
    nearest, similarity = _nearest(vectors, centroids)
    allowed = np.append(thresholds, np.inf)[nearest]
    before = np.where(similarity >= allowed, nearest, -1)
    after = np.where(similarity >= proposed, nearest, -1)
    rows = np.flatnonzero(before != after)
    return [Reassignment(int(r), int(before[r]), int(after[r]), float(similarity[r])) for r in rows]
