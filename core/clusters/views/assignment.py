"""Assignment of assets that are new since a revision was published: each joins its nearest cluster or founds one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.clusters.edits.model import SetThreshold
from core.clusters.edits.validation import check_edit
from core.errors import ClusterError
from core.records.clusterings import Assignment, Clustering, Revision
from core.records.successors import Successors
from core.store.lance.snapshot import Snapshot
from core.store.sql.assignment_store import AssignmentStore
from core.store.sql.revision_store import RevisionStore

BLOCK_ROWS = 8192
MIN_NORM = 1e-12


@dataclass(frozen=True)
class PreviewedAssignment:
    """An asset that would be assigned to another cluster; None is a new cluster of its own."""

    asset_id: str
    title: str
    before: str | None
    after: str | None
    similarity: float


@dataclass(frozen=True)
class AssignmentPreview:
    """The changes that another threshold would have made for the latest assets; `tried` is how many were tested."""

    tried: int
    changes: tuple[PreviewedAssignment, ...]


class AssignmentService:
    """Assigns new assets to the clusters of published revisions. Thread-safe."""

    def __init__(
        self,
        snapshots: Callable[[str], Snapshot],
        revisions: RevisionStore,
        assignments: AssignmentStore,
        clustering: Callable[[int], Clustering],
        model_changed: Callable[[Revision], bool] = lambda _: False,
        successors: Callable[[str], Successors] = lambda _: Successors(),
    ) -> None:
        """`model_changed` tells whether a revision was made with another model, so that its centroids and thresholds no
        longer apply; `successors` which pictures took the place of others since they were assigned."""
        self._snapshots, self._revisions, self._assignments = snapshots, revisions, assignments
        self._clustering, self._model_changed, self._successors = clustering, model_changed, successors

    def assign_new_assets(self, collection: str) -> int:
        """Assign all assets that are neither in the published revision nor assigned yet; returns how many.

        Assets whose ingest was interrupted before they were assigned are found by the next call.
        """
        published = self._revisions.published(collection)
        if published is None or self._model_changed(published):
            return 0
        snapshot, clustering = self._snapshots(collection), self._clustering(published.id)
        earlier = self.for_revision(collection, published)
        known = {*clustering.asset_ids, *(assignment.asset_id for assignment in earlier)}
        rows = [row for row, asset_id in enumerate(snapshot.ids) if asset_id not in known]
        if not rows:
            return 0
        rows.sort(key=lambda row: snapshot.ids[row])
        clusters = _joinable_clusters(clustering, earlier, snapshot, published.threshold)
        result = assign(snapshot.vectors[rows], clusters.centroids, clusters.thresholds, published.threshold)
        asset_ids = [snapshot.ids[row] for row in rows]
        cluster_ids = _cluster_ids(result, clusters.ids, asset_ids)
        assigned = zip(asset_ids, cluster_ids, result.similarity.tolist(), strict=True)
        self._assignments.add(collection, published.id, list(assigned))
        return len(rows)

    def for_revision(self, collection: str, revision: Revision) -> list[Assignment]:
        """The assignments of assets that are new since a revision was published."""
        successors, stored = self._successors(collection).by_id, self._assignments.for_revision(collection, revision.id)
        followed = (replace(each, asset_id=successors.get(each.asset_id, each.asset_id)) for each in stored)
        return list({each.asset_id: each for each in followed}.values())

    def preview(self, collection: str, threshold: float, last: int) -> AssignmentPreview:
        """What would change if the `last` assets were new again and all clusters had this threshold.

        Raises ClusterError if nothing is published, or for an impossible threshold or number of assets.
        """
        check_edit(SetThreshold(threshold))
        if last < 1:
            raise ClusterError(f"{last} pictures cannot be tried: choose 1 or more")
        published = self._published(collection)
        snapshot, clustering = self._snapshots(collection), self._clustering(published.id)
        rows = np.argsort(-snapshot.ingested_us, kind="stable")[:last]
        clusters = _joinable_clusters(clustering, [], snapshot, published.threshold)
        changes = preview_reassignments(snapshot.vectors[rows], clusters.centroids, clusters.thresholds, threshold)
        name_of = {cluster.id: cluster.name or cluster.id for cluster in clustering.clusters}
        names = [name_of[cluster_id] for cluster_id in clusters.ids]
        previewed = (_previewed(change, snapshot, int(rows[change.row]), names) for change in changes)
        return AssignmentPreview(len(rows), tuple(previewed))

    def _published(self, collection: str) -> Revision:
        """The published revision. Raises ClusterError without one of the collection's current model."""
        published = self._revisions.published(collection)
        if published is None:
            raise ClusterError(f"{collection} has no published clusters: publish a revision first")
        if self._model_changed(published):
            raise ClusterError(f"the published clusters of {collection} were made with another model: publish new ones")
        return published


@dataclass(frozen=True, eq=False)
class JoinableClusters:
    """The clusters that new assets can join: ids, unit centroids (k, d) and thresholds (k,)."""

    ids: tuple[str, ...]
    centroids: NDArray[np.float32]
    thresholds: NDArray[np.float64]


def _joinable_clusters(
    clustering: Clustering, earlier: Sequence[Assignment], snapshot: Snapshot, threshold: float
) -> JoinableClusters:
    """The published clusters, and those founded by earlier new assets."""
    published = [cluster for cluster in clustering.clusters if not cluster.no_group]
    ids, centroids = [cluster.id for cluster in published], [cluster.centroid for cluster in published]
    thresholds = [cluster.threshold for cluster in published]
    for cluster_id, rows in _founded_clusters(clustering, earlier, snapshot).items():
        total = snapshot.vectors[rows].sum(axis=0)
        ids.append(cluster_id)
        centroids.append(total / max(float(np.linalg.norm(total)), MIN_NORM))
        thresholds.append(threshold)
    matrix = np.array(centroids, np.float32).reshape(len(centroids), snapshot.vectors.shape[1])
    return JoinableClusters(tuple(ids), matrix, np.array(thresholds, np.float64))


def _founded_clusters(
    clustering: Clustering, earlier: Sequence[Assignment], snapshot: Snapshot
) -> dict[str, list[int]]:
    """The snapshot rows of each cluster that earlier new assets founded, by its id."""
    row_of = {asset_id: row for row, asset_id in enumerate(snapshot.ids)}
    published = {cluster.id for cluster in clustering.clusters}
    founded: dict[str, list[int]] = {}
    for assignment in earlier:
        if assignment.cluster_id not in published and assignment.asset_id in row_of:
            founded.setdefault(assignment.cluster_id, []).append(row_of[assignment.asset_id])
    return founded


def _cluster_ids(result: AssignmentResult, known_ids: tuple[str, ...], asset_ids: list[str]) -> list[str]:
    """The id of each new asset's cluster; a founded one is named after its first asset."""
    founded: dict[int, str] = {}
    ids = []
    for number, asset_id in zip(result.cluster.tolist(), asset_ids, strict=True):
        is_known = number < len(known_ids)
        ids.append(known_ids[number] if is_known else founded.setdefault(number, f"n{asset_id[:10]}"))
    return ids


def _previewed(change: Reassignment, snapshot: Snapshot, row: int, names: Sequence[str]) -> PreviewedAssignment:
    before, after = (names[number] if number >= 0 else None for number in (change.before, change.after))
    return PreviewedAssignment(snapshot.ids[row], snapshot.titles[row], before, after, change.similarity)


@dataclass(frozen=True, eq=False)
class AssignmentResult:
    """Where new assets go: `cluster` (m,) int64 and the cosine `similarity` (m,) float32 to its centroid.

    Numbers from the number of given centroids upwards are new clusters, in the order they were founded.
    """

    cluster: NDArray[np.int64]
    similarity: NDArray[np.float32]


def assign(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32], thresholds: NDArray[np.floating], new_threshold: float
) -> AssignmentResult:
    """Assign (m, d) float32 unit vectors to (k, d) unit centroids.

    A vector goes to its nearest centroid if their cosine is at least that cluster's threshold, (k,). The others are
    processed in order: each joins the nearest cluster founded by an earlier one if the cosine to its normalised mean is
    at least `new_threshold`, otherwise it founds one. Raises ClusterError if shapes do not match.
    """
    _check_shapes(vectors, centroids, thresholds)
    nearest, similarity = _nearest(vectors, centroids)
    rest = np.flatnonzero((nearest < 0) | (similarity < np.append(thresholds, np.inf)[nearest]))
    founded = _leader_clustering(vectors[rest], new_threshold)
    nearest[rest], similarity[rest] = founded.cluster + len(centroids), founded.similarity
    return AssignmentResult(nearest, similarity)


def _leader_clustering(vectors: NDArray[np.float32], threshold: float) -> AssignmentResult:
    """Leader clustering: in one pass, each joins the nearest cluster so far if it is near enough, or founds one."""
    cluster, similarity = np.zeros(len(vectors), np.int64), np.ones(len(vectors), np.float32)
    sums, norms, count = np.zeros_like(vectors), np.zeros(len(vectors), np.float32), 0
    for row, vector in enumerate(vectors):
        cosines = sums[:count] @ vector / norms[:count]
        best = int(cosines.argmax()) if count else 0
        if count and cosines[best] >= threshold:
            similarity[row] = cosines[best]
        else:
            best, count = count, count + 1
        cluster[row] = best
        sums[best] += vector
        norms[best] = max(float(np.linalg.norm(sums[best])), MIN_NORM)
    return AssignmentResult(cluster, similarity)


@dataclass(frozen=True)
class Reassignment:
    """A row that would go elsewhere: `before` and `after` are cluster numbers, -1 for a new cluster of its own."""

    row: int
    before: int
    after: int
    similarity: float


def preview_reassignments(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32], thresholds: NDArray[np.floating], proposed: float
) -> Sequence[Reassignment]:
    """What would change for (m, d) new vectors if all clusters had the threshold `proposed` instead of their own.

    Raises ClusterError if shapes do not match.
    """
    _check_shapes(vectors, centroids, thresholds)
    nearest, similarity = _nearest(vectors, centroids)
    current = np.append(thresholds, np.inf)[nearest]
    before = np.where(similarity >= current, nearest, -1)
    after = np.where(similarity >= proposed, nearest, -1)
    rows = np.flatnonzero(before != after)
    return [Reassignment(int(r), int(before[r]), int(after[r]), float(similarity[r])) for r in rows]


def _check_shapes(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32], thresholds: NDArray[np.floating]
) -> None:
    if centroids.ndim != 2 or vectors.ndim != 2 or centroids.shape[1] != vectors.shape[1]:
        raise ClusterError(f"vectors {vectors.shape} and centroids {centroids.shape} do not fit: same model?")
    if thresholds.shape != (len(centroids),):
        raise ClusterError(f"there are {thresholds.shape} thresholds for {len(centroids)} centroids: give one to each")


def _nearest(
    vectors: NDArray[np.float32], centroids: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest centroid of each vector, (m,), and their cosine; -1 and -inf without centroids."""
    nearest, similarity = np.full(len(vectors), -1), np.full(len(vectors), -np.inf, np.float32)
    if not len(centroids):
        return nearest, similarity
    for start in range(0, len(vectors), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        similarities = vectors[block] @ centroids.T
        nearest[block] = similarities.argmax(axis=1)
        similarity[block] = similarities.max(axis=1)
    return nearest, similarity
