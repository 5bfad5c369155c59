"""Looking at the clusters of collections: dendrograms kept fresh, plans laid over them, names suggested."""

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
from core.clusters.tree.threshold_curve import ThresholdCurve, ThresholdPlateau, plateaus, threshold_curve
from core.clusters.views.borderline_pairs import BorderlinePair, ThresholdAdvice, advise, borderline_pairs, joined_at
from core.clusters.views.name_suggestions import NameSuggestions
from core.clusters.views.naming import NameSuggestion, TermTable, terms, vocabulary
from core.clusters.views.view import ClusterBase, ClusterView, build_view
from core.embedding.allocator import give_back_unused
from core.errors import ClusterError, JobError
from core.jobs.background import BackgroundJobs
from core.metrics.request_recorder import Recording, do_not_record
from core.records.clusterings import Clustering, Revision
from core.records.jobs import Job, ProgressListener, ignore
from core.store.lance.snapshot import Snapshot
from core.store.objects.linkage_files import LinkageFiles
from core.store.sql.revision_store import RevisionStore

LINK = "link"
AT_ONCE, MOST_KEPT = 3_000, 24
# A base holds the vectors of its snapshot, so one that is out of date should not stay long; a view holds up to about
# 200 bytes for each row: as many are kept as there is room for ROWS_KEPT rows.
MOST_BASES, FEWEST_VIEWS, MOST_VIEWS, ROWS_KEPT = 4, 4, 24, 2_000_000
EncodeTexts = Callable[[str, list[str]], NDArray[np.float32]]


class ClusterService:
    """What everyone may see of clusters. May be shared between threads."""

    def __init__(
        self,
        snapshots: Callable[[str], Snapshot],
        linkages: Callable[[str], LinkageFiles],
        revisions: RevisionStore,
        background: BackgroundJobs,
        encode_texts: EncodeTexts,
        common_words: Callable[[], list[str]],
        device: str = "cpu",
        watch: Recording = do_not_record,
    ) -> None:
        """`snapshots` and `linkages` are by collection; `encode_texts` takes a collection and texts; `watch` leaves an
        event for every view that is computed."""
        self._snapshots, self._linkages, self.revisions = snapshots, linkages, revisions
        self._background, self._encode_texts, self._common_words = background, encode_texts, common_words
        self._device, self._watch = device, watch
        self._linking, self._bases, self._kept = threading.Lock(), OnceCache(MOST_BASES), OnceCache(MOST_KEPT)

    # -- dendrograms ----------------------------------------------------------------------------------------

    def base(self, collection: str) -> ClusterBase | None:
        """The newest dendrogram beside the collection as it is; None if there is none yet.

        One of a small collection is computed at once.
        """
        looked_at = self._looked_at(collection)
        return looked_at.base if looked_at else None

    def _looked_at(self, collection: str) -> _LookedAt | None:
        snapshot, linkages = self._snapshots(collection), self._linkages(collection)
        while (version := self._newest(collection, snapshot, linkages)) is not None:
            key = (collection, snapshot.version, snapshot.order, version)
            found = self._bases.get_or_create(key, lambda: _looked_at(snapshot, linkages, version))
            if found is not None:
                return found  # otherwise its file was damaged and is gone: look again
        return None

    def _newest(self, collection: str, snapshot: Snapshot, linkages: LinkageFiles) -> str | None:
        if len(snapshot) <= AT_ONCE and linkages.newest() != snapshot.version:
            with self._linking:
                if linkages.newest() != snapshot.version:
                    self.link(collection)
        return linkages.newest()

    def link(self, collection: str, listener: ProgressListener = ignore) -> str:
        """Compute and store the dendrogram of a collection as it is; what a background job does. Says what it did."""
        snapshot = self._snapshots(collection)
        linkage = average_linkage(snapshot.vectors, listener=listener, device=self._device)
        self._linkages(collection).put(snapshot.version, snapshot.ids, linkage.z)
        return f"{len(snapshot):,} pictures linked"

    def refresh(self, collection: str, author: str) -> Job | None:
        """Start a background job where the dendrogram is not of the collection as it is; None if it is, or one runs."""
        snapshot = self._snapshots(collection)
        if len(snapshot) <= AT_ONCE or self._linkages(collection).newest() == snapshot.version:
            return None
        try:
            return self._background.start(LINK, collection, {}, author)
        except JobError:
            return None

    def refresh_if_used(self, collection: str, author: str) -> None:
        """Start a background job where somebody has looked at the clusters of a collection before."""
        if self._linkages(collection).newest() is not None:
            self.refresh(collection, author)

    # -- views ----------------------------------------------------------------------------------------------

    def view(self, collection: str, plan: Plan, parent: int | None = None) -> ClusterView:
        """A plan laid over the collection; names and ids come from the revision `parent`.

        Raises ClusterError if there is no dendrogram yet.
        """
        looked_at = self._looked_at(collection)
        if looked_at is None:
            raise ClusterError(f"the pictures of {collection} are still being linked: wait for the job to end")
        return looked_at.views.get_or_create((plan, parent), lambda: self._built(collection, looked_at, plan, parent))

    def _built(self, collection: str, looked_at: _LookedAt, plan: Plan, parent: int | None) -> ClusterView:
        with self._watch("cut", collection):
            saved = self.plan_of(self.revisions.get(parent)).edits if parent is not None else ()
            settled = len(saved) if plan.edits[: len(saved)] == saved else 0
            view = build_view(looked_at.base, plan, self.known(parent), settled, looked_at.latest)
            looked_at.latest = view
            return view

    def curve(self, base: ClusterBase, collection: str, smallest: int) -> tuple[ThresholdCurve, list[ThresholdPlateau]]:
        """What every threshold would give, and the thresholds on which little depends."""

        def made() -> tuple[ThresholdCurve, list[ThresholdPlateau]]:
            curve = threshold_curve(base.linkage, smallest)
            return curve, plateaus(curve)

        return self._kept.get_or_create(("curve", collection, base.version, smallest), made)

    def borderline_pairs(self, view: ClusterView, count: int) -> list[BorderlinePair]:
        """Pairs that the threshold decides about, as rows of the snapshot; those that were judged are left out."""
        base, judged = view.base, [edit for edit in view.plan.edits if isinstance(edit, PairConstraint)]
        row_of = base.row_in_snapshot
        if (row_of < 0).any():
            return []  # some pictures are gone: the dendrogram is about to be made anew
        row_at = base.roster.row_of
        pairs = [(row_at(e.a), row_at(e.b)) for e in judged]
        seen = frozenset((min(a, b), max(a, b)) for a, b in pairs if a is not None and b is not None)
        in_order = np.array_equal(row_of, np.arange(len(row_of)))  # as a rule; a copy of all vectors takes its time
        vectors = base.snapshot.vectors if in_order else base.snapshot.vectors[row_of]
        found = borderline_pairs(base.linkage, vectors, view.plan.threshold, count, seen)
        return [BorderlinePair(int(row_of[pair.a]), int(row_of[pair.b]), pair.similarity) for pair in found]

    def advice(self, view: ClusterView) -> ThresholdAdvice | None:
        """The threshold that this plan's judged pairs speak for."""
        base = view.base
        row_of, judged = base.roster.row_of, [edit for edit in view.plan.edits if isinstance(edit, PairConstraint)]
        rows = [(row_of(e.a), row_of(e.b), e.same) for e in judged]
        known = [(a, b, same) for a, b, same in rows if a is not None and b is not None]
        return advise([joined_at(base.linkage, a, b) for a, b, _ in known], [same for *_, same in known])

    def view_of(self, revision: Revision) -> ClusterView:
        """A revision's plan laid over the collection as it is now."""
        return self.view(revision.collection, plan_from_document(revision.plan), revision.id)

    def clustering(self, revision_id: int) -> Clustering:
        """A revision as it was saved; it never changes, so it is read once."""
        return self._kept.get_or_create(("clustering", revision_id), lambda: self.revisions.clustering(revision_id))

    def known(self, revision_id: int | None) -> tuple[KnownCluster, ...]:
        """The clusters of a revision, as parents of another view; none without a revision."""
        if revision_id is None:
            return ()
        clusters = self.clustering(revision_id).clusters
        return self._kept.get_or_create(
            ("known", revision_id),
            lambda: tuple(
                KnownCluster(c.id, c.name, c.confirmed, c.description, c.no_group, c.sketch, c.size) for c in clusters
            ),
        )

    def plan_of(self, revision: Revision | None) -> Plan:
        """The plan of a revision; the default one where nothing is saved yet."""
        return plan_from_document(revision.plan) if revision else Plan()

    def difference(self, before: int, after: int) -> Diff:
        """The difference between two revisions as they were saved."""
        return diff(self.clustering(before), self.clustering(after))

    def changes(self, before: int | None, after: ClusterView) -> Diff:
        """The difference from a revision (None: from nothing) to a view."""
        earlier = self.clustering(before) if before is not None else _NOTHING
        return diff(earlier, after)

    # -- names ----------------------------------------------------------------------------------------------

    def suggestions(self, collection: str, view: ClusterView) -> list[NameSuggestion | None]:
        """A name for every cluster of a view, from its pictures' words or looks."""
        snapshot = view.base.snapshot  # the same version may be read in another order
        key = ("words", collection, snapshot.version, snapshot.order)
        return self._kept.get_or_create(key, lambda: self._words(collection, snapshot)).of(view)

    def _words(self, collection: str, snapshot: Snapshot) -> NameSuggestions:
        said = [terms(title, keywords) for title, keywords in zip(snapshot.titles, snapshot.keywords, strict=True)]
        words = vocabulary(said, self._common_words())
        vectors = self._encode_texts(collection, [f"a photo of {word}" for word in words])
        return NameSuggestions(TermTable.of(said), words, vectors)


_NOTHING = Clustering((), np.empty(0, np.int32), ())


@dataclass
class _LookedAt:
    """A base and its views; the latest one is likely to be like the next."""

    base: ClusterBase
    views: OnceCache
    latest: ClusterView | None = None


def _looked_at(snapshot: Snapshot, linkages: LinkageFiles, version: str) -> _LookedAt | None:
    stored = linkages.get(version)
    if stored is None:
        return None
    asset_ids, z = stored
    room = ROWS_KEPT // max(len(snapshot), 1)
    base = ClusterBase.of(version, snapshot, asset_ids, Linkage(z, len(asset_ids)))
    give_back_unused()  # reading a large collection leaves as much memory behind as its vectors take
    return _LookedAt(base, OnceCache(min(max(room, FEWEST_VIEWS), MOST_VIEWS)))
