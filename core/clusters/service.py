"""The service for viewing clusters: dendrograms kept up to date, plans applied to them, names suggested."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.cache import OnceCache
from core.clusters.edits.model import PairConstraint
from core.clusters.edits.plan import Plan
from core.clusters.edits.plan_documents import plan_from_document
from core.clusters.lineage.diff import Diff, diff
from core.clusters.lineage.matching import KnownCluster
from core.clusters.tree.linkage import Linkage, average_linkage
from core.clusters.tree.threshold_curve import ThresholdCurve, ThresholdPlateau, find_plateaus, threshold_curve
from core.clusters.views.borderline_pairs import (
    BorderlinePair,
    ThresholdEstimate,
    borderline_pairs,
    cophenetic_similarity,
    estimate_threshold,
)
from core.clusters.views.cluster_view import ClusterBase, ClusterView, build_view
from core.clusters.views.name_suggestions import NameSuggester
from core.clusters.views.naming import NameSuggestion, TermTable, build_vocabulary, extract_terms
from core.clusters.views.plurals import join_plurals
from core.embedding.allocator import release_unused_memory
from core.errors import ClusterError
from core.jobs.background import BackgroundJobs
from core.metrics.request_recorder import Recording, do_not_record
from core.records.clusterings import Clustering, Revision
from core.records.jobs import Job, ProgressListener, ignore
from core.records.successors import Successors
from core.store.lance.snapshot import Snapshot, require_same_collection
from core.store.objects.linkage_files import LinkageFiles
from core.store.sql.revision_store import RevisionStore
from core.text import counted

LINKAGE_JOB = "link"
INLINE_LINKAGE_LIMIT = 3_000  # pictures; the linkage of larger collections is computed by a background job
MAX_CACHED = 24
# A base holds its snapshot's vectors, so an outdated one should not stay cached for long. A view takes up to about 200
# bytes per row, so the number of cached views depends on the size of the collection.
MAX_BASES, MIN_VIEWS, MAX_VIEWS, MAX_CACHED_ROWS = 4, 4, 24, 2_000_000
EncodeTexts = Callable[[str, list[str]], NDArray[np.float32]]
_EMPTY = Clustering((), np.empty(0, np.int32), ())


@dataclass(frozen=True)
class ClusterSources:
    """Where clusters and their suggested names come from.

    `snapshots` and `linkages` are by collection; `encode_texts` takes a collection and n texts and returns (n, d) unit
    vectors; `common_words` are candidates for names beside the words of the collection itself; `successors` tells which
    pictures took the place of others since something was saved.
    """

    snapshots: Callable[[str], Snapshot]
    linkages: Callable[[str], LinkageFiles]
    encode_texts: EncodeTexts
    common_words: Callable[[], list[str]]
    successors: Callable[[str], Successors] = lambda _: Successors()


class ClusterService:
    """Read access to clusters, for everyone. Thread-safe."""

    def __init__(
        self,
        sources: ClusterSources,
        revisions: RevisionStore,
        background: BackgroundJobs,
        device: str = "cpu",
        recording: Recording = do_not_record,
    ) -> None:
        """`device` computes linkages; `recording` leaves an event for every view that is computed."""
        self.revisions = revisions
        self._sources, self._background = sources, background
        self._device, self._recording = device, recording
        self._linking, self._bases, self._cache = threading.Lock(), OnceCache(MAX_BASES), OnceCache(MAX_CACHED)

    def require_collection(self, collection: str) -> None:
        """Raise CollectionError if there is no such collection by now."""
        self._sources.snapshots(collection)

    # -- dendrograms ----------------------------------------------------------------------------------------

    def base(self, collection: str) -> ClusterBase | None:
        """The latest dendrogram together with the collection's current snapshot; None if there is none yet.

        The dendrogram of a small collection is computed immediately.
        """
        cached = self._cached_base(collection)
        return cached.base if cached else None

    def _cached_base(self, collection: str) -> _CachedBase | None:
        snapshot, linkages = self._sources.snapshots(collection), self._sources.linkages(collection)
        while (version := self._latest_version(collection, snapshot, linkages)) is not None:
            key = (collection, snapshot.version, snapshot.order_hash, version)
            cached = self._bases.get_or_create(key, lambda: _read_base(snapshot, linkages, version))
            if cached is not None:
                return cached  # otherwise its file was damaged and has been removed: look again
        return None

    def _latest_version(self, collection: str, snapshot: Snapshot, linkages: LinkageFiles) -> str | None:
        if len(snapshot) <= INLINE_LINKAGE_LIMIT and linkages.latest_version() != snapshot.version:
            with self._linking:
                if linkages.latest_version() != snapshot.version:
                    self.compute_linkage(collection)
        return linkages.latest_version()

    def compute_linkage(self, collection: str, listener: ProgressListener = ignore) -> str:
        """Compute and store the dendrogram of a collection; returns the message of the background job that runs it."""
        snapshot = self._sources.snapshots(collection)
        linkage = average_linkage(snapshot.vectors, listener=listener, device=self._device)
        require_same_collection(collection, snapshot, self._sources.snapshots(collection))
        self._sources.linkages(collection).put(snapshot.version, snapshot.ids, linkage.z)
        return f"{counted(len(snapshot), 'picture')} linked"

    def refresh(self, collection: str, author: str) -> Job | None:
        """Start a background job if the dendrogram is out of date.

        None if it is not, if a job is running, or if one failed for this version: a curator may resume that one.
        """
        snapshot, linkages = self._sources.snapshots(collection), self._sources.linkages(collection)
        if len(snapshot) <= INLINE_LINKAGE_LIMIT or linkages.latest_version() == snapshot.version:
            return None
        return self._background.start_once(LINKAGE_JOB, collection, {"version": snapshot.version}, author)

    def refresh_if_used(self, collection: str, author: str) -> None:
        """Refresh the dendrogram if there is one, that is, if anyone has ever viewed the collection's clusters."""
        if self._sources.linkages(collection).latest_version() is not None:
            self.refresh(collection, author)

    # -- views ----------------------------------------------------------------------------------------------

    def view(self, collection: str, plan: Plan, parent: int | None = None) -> ClusterView:
        """A plan applied to the collection; names and ids are inherited from the revision `parent`.

        Raises ClusterError if there is no dendrogram yet.
        """
        cached = self._cached_base(collection)
        if cached is None:
            raise ClusterError(f"the pictures of {collection} are still being linked: wait for the job to end")
        return cached.views.get_or_create((plan, parent), lambda: self._build_view(collection, cached, plan, parent))

    def _build_view(self, collection: str, cached: _CachedBase, plan: Plan, parent: int | None) -> ClusterView:
        with self._recording("cut", collection):
            saved = self.revision_plan(self.revisions.get(parent)).edits if parent is not None else ()
            saved_edit_count = len(saved) if plan.edits[: len(saved)] == saved else 0
            view = build_view(cached.base, plan, self.known_clusters(parent), saved_edit_count, cached.latest)
            cached.latest = view
            return view

    def revision_view(self, revision: Revision) -> ClusterView:
        """A revision's plan applied to the collection as it is now."""
        return self.view(revision.collection, self.revision_plan(revision), revision.id)

    def curve(
        self, base: ClusterBase, collection: str, min_cluster_size: int
    ) -> tuple[ThresholdCurve, list[ThresholdPlateau]]:
        """The cluster counts at every threshold, and the plateaus on which they hardly change."""

        def compute() -> tuple[ThresholdCurve, list[ThresholdPlateau]]:
            curve = threshold_curve(base.linkage, min_cluster_size)
            return curve, find_plateaus(curve)

        return self._cache.get_or_create(("curve", collection, base.version, min_cluster_size), compute)

    # -- borderline pairs -----------------------------------------------------------------------------------

    def borderline_pairs(self, view: ClusterView, count: int) -> list[BorderlinePair]:
        """Pairs that are close to the threshold, as rows of the snapshot, without those that were judged already."""
        base, snapshot_rows = view.base, view.base.row_in_snapshot
        if (snapshot_rows < 0).any():
            return []  # some pictures are gone: the dendrogram is about to be recomputed
        judged = frozenset((min(a, b), max(a, b)) for a, b, _ in _judged_pairs(view))
        same_order = np.array_equal(snapshot_rows, np.arange(len(snapshot_rows)))  # usually: avoids copying all vectors
        vectors = base.snapshot.vectors if same_order else base.snapshot.vectors[snapshot_rows]
        pairs = borderline_pairs(base.linkage, vectors, view.plan.threshold, count, judged)
        return [BorderlinePair(int(snapshot_rows[p.a]), int(snapshot_rows[p.b]), p.similarity) for p in pairs]

    def threshold_estimate(self, view: ClusterView) -> ThresholdEstimate | None:
        """The threshold that best fits the pairs judged in this view's plan; None if they are too few."""
        judged = _judged_pairs(view)
        similarities = [cophenetic_similarity(view.base.linkage, a, b) for a, b, _ in judged]
        return estimate_threshold(similarities, [must_link for *_, must_link in judged])

    # -- revisions ------------------------------------------------------------------------------------------

    def clustering(self, revision_id: int) -> Clustering:
        """A revision's clustering, with the pictures that took the place of others since it was saved."""
        successors = self.successors(self.revisions.get(revision_id).collection)
        if not successors.pairs:
            return self.saved_clustering(revision_id)
        return self._cache.get_or_create(
            ("followed", revision_id, successors), lambda: successors.clustering(self.saved_clustering(revision_id))
        )

    def saved_clustering(self, revision_id: int) -> Clustering:
        """A revision's clustering as it was saved (cached, because it never changes)."""
        return self._cache.get_or_create(("clustering", revision_id), lambda: self.revisions.clustering(revision_id))

    def successors(self, collection: str) -> Successors:
        """Which pictures of a collection took the place of others."""
        return self._sources.successors(collection)

    def known_clusters(self, revision_id: int | None) -> tuple[KnownCluster, ...]:
        """A revision's clusters as parents of a view; none without a revision."""
        if revision_id is None:
            return ()
        clusters = self.clustering(revision_id).clusters
        successors = self.successors(self.revisions.get(revision_id).collection)
        return self._cache.get_or_create(
            ("known", revision_id, successors),
            lambda: tuple(
                KnownCluster(c.id, c.name, c.confirmed, c.description, c.no_group, c.sample_ids, c.size)
                for c in clusters
            ),
        )

    def revision_plan(self, revision: Revision | None) -> Plan:
        """A revision's plan, about the pictures of now; the default plan without a revision."""
        if revision is None:
            return Plan()
        return plan_from_document(self.successors(revision.collection).document(revision.plan))

    def diff_revisions(self, before: int, after: int) -> Diff:
        """The difference between two revisions as they were saved."""
        return diff(self.clustering(before), self.clustering(after))

    def changes_since(self, revision_id: int | None, view: ClusterView) -> Diff:
        """The difference from a saved revision (None: from no clusters) to a view."""
        return diff(self.clustering(revision_id) if revision_id is not None else _EMPTY, view)

    # -- names ----------------------------------------------------------------------------------------------

    def name_suggestions(self, collection: str, view: ClusterView) -> list[NameSuggestion | None]:
        """A suggested name for each cluster of a view, from the words or the looks of its pictures."""
        snapshot = view.base.snapshot  # the same version may be read in another row order
        key = ("words", collection, snapshot.version, snapshot.order_hash)
        return self._cache.get_or_create(key, lambda: self._name_source(collection, snapshot)).for_view(view)

    def _name_source(self, collection: str, snapshot: Snapshot) -> NameSuggester:
        texts = zip(snapshot.titles, snapshot.keywords, strict=True)
        common_words = self._sources.common_words()
        terms = join_plurals([extract_terms(title, keywords) for title, keywords in texts], common_words)
        words = build_vocabulary(terms, common_words)
        vectors = self._sources.encode_texts(collection, [f"a photo of {word}" for word in words])
        return NameSuggester(TermTable.from_terms(terms), words, vectors)


@dataclass
class _CachedBase:
    """A base and its cached views; the next view is likely to resemble the `latest`."""

    base: ClusterBase
    views: OnceCache
    latest: ClusterView | None = None


def _read_base(snapshot: Snapshot, linkages: LinkageFiles, version: str) -> _CachedBase | None:
    stored = linkages.get(version)
    if stored is None:
        return None
    asset_ids, z = stored
    base = ClusterBase.from_linkage(version, snapshot, asset_ids, Linkage(z, len(asset_ids)))
    release_unused_memory()  # reading a large collection leaves as much memory behind as its vectors take
    max_views = MAX_CACHED_ROWS // max(len(snapshot), 1)
    return _CachedBase(base, OnceCache(min(max(max_views, MIN_VIEWS), MAX_VIEWS)))


def _judged_pairs(view: ClusterView) -> list[tuple[int, int, bool]]:
    """The pairs judged in a view's plan, as rows of the linkage, and whether they must link."""
    row_of = view.base.index.row_of
    constraints = [edit for edit in view.plan.edits if isinstance(edit, PairConstraint)]
    rows = [(row_of(pair.a), row_of(pair.b), pair.must_link) for pair in constraints]
    return [(a, b, must_link) for a, b, must_link in rows if a is not None and b is not None]
