"""Looking at the clusters of collections: dendrograms kept fresh, plans laid over them, names suggested."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.background import Background
from core.clusters.curve import Curve, Plateau, plateaus, threshold_curve
from core.clusters.diff import Diff, diff
from core.clusters.documents import plan_from_document
from core.clusters.edits import Evidence
from core.clusters.evidence import Advice, Pair, advise, border_pairs, joined_at
from core.clusters.lineage import KnownCluster
from core.clusters.linkage import Linkage, average_linkage
from core.clusters.naming import Suggestion, by_looks, by_words, suggest, terms, vocabulary
from core.clusters.plan import Plan
from core.clusters.view import Base, View, build_view
from core.curation import Clustering, Revision
from core.errors import ClusterError, JobError
from core.kept import Kept
from core.records import Job, ProgressListener, unheard
from core.store.linkages import Linkages
from core.store.revisions import Revisions
from core.store.snapshot import Snapshot
from core.telemetry.requests import Watch, unwatched

LINK = "link"
AT_ONCE, MOST_KEPT = 3_000, 24
EncodeTexts = Callable[[str, list[str]], NDArray[np.float32]]


class ClusterDesk:
    """What everyone may see of clusters. May be shared between threads."""

    def __init__(
        self, snapshots: Callable[[str], Snapshot], linkages: Callable[[str], Linkages], revisions: Revisions,
        background: Background, encode_texts: EncodeTexts, common_words: Callable[[], list[str]], device: str = "cpu",
        watch: Watch = unwatched,
    ) -> None:  # fmt: skip
        """`snapshots` and `linkages` are by collection; `encode_texts` takes a collection and texts; `watch` leaves an
        event for every view that is computed."""
        self._snapshots, self._linkages, self.revisions = snapshots, linkages, revisions
        self._background, self._encode_texts, self._common_words = background, encode_texts, common_words
        self._device, self._watch = device, watch
        self._linking, self._kept = threading.Lock(), Kept(MOST_KEPT)

    # -- dendrograms ----------------------------------------------------------------------------------------

    def base(self, collection: str) -> Base | None:
        """The newest dendrogram beside the collection as it is; None if there is none yet.

        One of a small collection is computed at once.
        """
        snapshot, linkages = self._snapshots(collection), self._linkages(collection)
        while (version := self._newest(collection, snapshot, linkages)) is not None:
            key = ("base", collection, snapshot.version, version)
            base = self._kept.once(key, lambda: _base(snapshot, linkages, version))
            if base is not None:
                return base  # otherwise its file was damaged and is gone: look again
        return None

    def _newest(self, collection: str, snapshot: Snapshot, linkages: Linkages) -> str | None:
        if len(snapshot) <= AT_ONCE and linkages.newest() != snapshot.version:
            with self._linking:
                if linkages.newest() != snapshot.version:
                    self.link(collection)
        return linkages.newest()

    def link(self, collection: str, listener: ProgressListener = unheard) -> str:
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

    def view(self, collection: str, plan: Plan, parent: int | None = None) -> View:
        """A plan laid over the collection; names and ids come from the revision `parent`.

        Raises ClusterError if there is no dendrogram yet.
        """
        base = self.base(collection)
        if base is None:
            raise ClusterError(f"the pictures of {collection} are still being linked: wait for the job to end")
        key = ("view", collection, base.snapshot.version, base.version, plan, parent)
        return self._kept.once(key, lambda: self._built(collection, base, plan, parent))

    def _built(self, collection: str, base: Base, plan: Plan, parent: int | None) -> View:
        with self._watch("cut", collection):
            saved = self.plan_of(self.revisions.get(parent)).edits if parent is not None else ()
            settled = len(saved) if plan.edits[: len(saved)] == saved else 0
            return build_view(base, plan, self.known(parent), settled)

    def curve(self, base: Base, collection: str, smallest: int) -> tuple[Curve, list[Plateau]]:
        """What every threshold would give, and the thresholds on which little depends."""

        def made() -> tuple[Curve, list[Plateau]]:
            curve = threshold_curve(base.linkage, smallest)
            return curve, plateaus(curve)

        return self._kept.once(("curve", collection, base.version, smallest), made)

    def border_pairs(self, view: View, count: int) -> list[Pair]:
        """Pairs that the threshold decides about, as rows of the snapshot; those that were judged are left out."""
        base, judged = view.base, [edit for edit in view.plan.edits if isinstance(edit, Evidence)]
        row_of = base.row_in_snapshot
        if (row_of < 0).any():
            return []  # some pictures are gone: the dendrogram is about to be made anew
        place = {asset_id: row for row, asset_id in enumerate(base.roster.asset_ids)}
        seen = frozenset(
            (min(place[e.a], place[e.b]), max(place[e.a], place[e.b]))
            for e in judged if e.a in place and e.b in place
        )  # fmt: skip
        vectors = base.snapshot.vectors[row_of]
        found = border_pairs(base.linkage, vectors, view.plan.threshold, count, seen)
        return [Pair(int(row_of[pair.a]), int(row_of[pair.b]), pair.similarity) for pair in found]

    def advice(self, view: View) -> Advice | None:
        """The threshold that this plan's judged pairs speak for."""
        base = view.base
        place = {asset_id: row for row, asset_id in enumerate(base.roster.asset_ids)}
        judged = [e for e in view.plan.edits if isinstance(e, Evidence) and e.a in place and e.b in place]
        similarities = [joined_at(base.linkage, place[e.a], place[e.b]) for e in judged]
        return advise(similarities, [e.same for e in judged])

    def view_of(self, revision: Revision) -> View:
        """A revision's plan laid over the collection as it is now."""
        return self.view(revision.collection, plan_from_document(revision.plan), revision.id)

    def clustering(self, revision_id: int) -> Clustering:
        """A revision as it was saved; it never changes, so it is read once."""
        return self._kept.once(("clustering", revision_id), lambda: self.revisions.clustering(revision_id))

    def known(self, revision_id: int | None) -> tuple[KnownCluster, ...]:
        """The clusters of a revision, as parents of another view; none without a revision."""
        if revision_id is None:
            return ()
        return tuple(
            KnownCluster(c.id, c.name, c.confirmed, c.description, c.no_group, c.sketch, c.size)
            for c in self.clustering(revision_id).clusters
        )

    def plan_of(self, revision: Revision | None) -> Plan:
        """The plan of a revision; the default one where nothing is saved yet."""
        return plan_from_document(revision.plan) if revision else Plan()

    def difference(self, before: int, after: int) -> Diff:
        """The difference between two revisions as they were saved."""
        return diff(self.clustering(before), self.clustering(after))

    def changes(self, before: int | None, after: View) -> Diff:
        """The difference from a revision (None: from nothing) to a view."""
        earlier = self.clustering(before) if before is not None else _NOTHING
        return diff(earlier, after)

    # -- names ----------------------------------------------------------------------------------------------

    def suggestions(self, collection: str, view: View) -> list[Suggestion | None]:
        """A name for every cluster of a view, from its pictures' words or looks."""
        snapshot = view.base.snapshot  # its ids belong to the key: the same version may be read in another order
        key = ("words", collection, snapshot.version, snapshot.ids)
        words = self._kept.once(key, lambda: self._words(collection, snapshot))
        count = len(view.clusters)
        written = by_words(view.labels, words.said, count)
        return suggest(written, by_looks(view.measures.centroids, words.words, words.vectors))

    def _words(self, collection: str, snapshot: Snapshot) -> _Words:
        said = [terms(title, keywords) for title, keywords in zip(snapshot.titles, snapshot.keywords, strict=True)]
        words = vocabulary(said, self._common_words())
        return _Words(said, words, self._encode_texts(collection, [f"a photo of {word}" for word in words]))


@dataclass(frozen=True, eq=False)
class _Words:
    """What is said of each row, and words to compare looks with: their texts and (m, d) unit vectors."""

    said: list[frozenset[str]]
    words: list[str]
    vectors: NDArray[np.float32]


_NOTHING = Clustering((), np.empty(0, np.int32), ())


def _base(snapshot: Snapshot, linkages: Linkages, version: str) -> Base | None:
    stored = linkages.get(version)
    if stored is None:
        return None
    asset_ids, z = stored
    return Base.of(version, snapshot, asset_ids, Linkage(z, len(asset_ids)))
