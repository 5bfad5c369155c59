"""What only curators do: drafts, saving, publishing. Every change asks `access` first, and none is ever lost."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.access import Access, Person
from core.clusters.edits.model import WITNESSES, Edit
from core.clusters.edits.plan import Plan
from core.clusters.edits.plan_documents import history_document, history_from_document, to_document
from core.clusters.edits.undo import History
from core.clusters.service import ClusterService
from core.clusters.tree.asset_index import by_label
from core.clusters.views.naming import NameSuggestion
from core.clusters.views.partition import Cluster
from core.clusters.views.view import ClusterView
from core.errors import ClusterError
from core.records.clusterings import Clustering, ClusterRecord, Draft, DraftConflict, Revision
from core.store.sql.draft_store import DraftStore
from core.store.sql.revision_store import RevisionStore

DOING = "change clusters"
KEPT_REVISIONS = 200


@dataclass(frozen=True)
class OpenDraft:
    """A draft as it is stored, and what its document means."""

    draft: Draft
    history: History

    @property
    def plan(self) -> Plan:
        return self.history.plan

    @property
    def unsaved(self) -> bool:
        """Whether it holds edits, be they undone."""
        return self.history.can_undo or self.history.can_redo


@dataclass(frozen=True)
class Rebased:
    """A draft laid on a newer revision, and the edits that are not possible there, each with the reason."""

    draft: OpenDraft
    lost: tuple[tuple[Edit, str], ...]


class CurationService:
    """Drafts and revisions of all collections. May be shared between threads and used by many processes."""

    def __init__(self, desk: ClusterService, revisions: RevisionStore, drafts: DraftStore, access: Access) -> None:
        self._desk, self._revisions, self._drafts, self._access = desk, revisions, drafts, access

    # -- drafts ---------------------------------------------------------------------------------------------

    def open(self, person: Person, collection: str) -> OpenDraft:
        """This person's latest draft with unsaved edits, or one without on the newest revision. Raises NotAllowed."""
        self._access.require_curator(person, DOING)
        newest, latest = self._revisions.newest(collection), self._latest(person, collection)
        if latest is not None and (latest.unsaved or latest.draft.parent == (newest.id if newest else None)):
            return latest
        return self._start(person, collection, newest, History.of(self._desk.plan_of(newest)))

    def left_behind(self, person: Person, collection: str) -> OpenDraft | None:
        """This person's latest draft, if it holds edits that are not saved."""
        latest = self._latest(person, collection)
        return latest if latest is not None and latest.unsaved else None

    def _latest(self, person: Person, collection: str) -> OpenDraft | None:
        draft = self._drafts.latest_of(collection, person.author)
        return _opened(draft) if draft is not None else None

    def draft(self, draft_id: str) -> OpenDraft:
        """A draft by its id; everyone may look at it. Raises ClusterError if it is gone."""
        return _opened(self._drafts.get(draft_id))

    def edit(self, person: Person, opened: OpenDraft, edit: Edit, coalesce: bool = False) -> OpenDraft:
        """One more edit, written before this returns. Raises NotAllowed, ClusterError, DraftConflict."""
        return self._write(person, opened, lambda history: history.do(edit, coalesce))

    def undo(self, person: Person, opened: OpenDraft) -> OpenDraft:
        """Without the last edit. Raises NotAllowed, ClusterError, DraftConflict."""
        return self._write(person, opened, History.undo)

    def redo(self, person: Person, opened: OpenDraft) -> OpenDraft:
        """With the edit undone last. Raises NotAllowed, ClusterError, DraftConflict."""
        return self._write(person, opened, History.redo)

    def discard(self, person: Person, opened: OpenDraft) -> None:
        """Throw a draft away, with everything in it. Raises NotAllowed."""
        self._access.require_curator(person, DOING)
        self._drafts.discard(opened.draft.id)

    def rebase(self, person: Person, opened: OpenDraft) -> Rebased:
        """A draft with the same edits on the newest revision; the old one stays if some are not possible there.

        Raises NotAllowed.
        """
        self._access.require_curator(person, DOING)
        newest = self._revisions.newest(opened.draft.collection)
        history, lost = History.of(self._desk.plan_of(newest)), list[tuple[Edit, str]]()
        for done in opened.history.done:
            try:
                history = history.do(done.edit)
            except ClusterError as error:
                lost.append((done.edit, str(error)))
        fresh = self._start(person, opened.draft.collection, newest, history)
        if not lost:
            self._end(opened.draft)
        return Rebased(fresh, tuple(lost))

    def _start(self, person: Person, collection: str, parent: Revision | None, history: History) -> OpenDraft:
        document = history_document(history)
        return OpenDraft(
            self._drafts.start(collection, parent.id if parent else None, document, person.author), history
        )

    def _write(self, person: Person, opened: OpenDraft, change: Callable[[History], History]) -> OpenDraft:
        self._access.require_curator(person, DOING)
        history = change(opened.history)
        if history == opened.history:
            return opened
        draft = self._drafts.write(opened.draft.id, history_document(history), opened.draft.version)
        return OpenDraft(draft, history)

    def _end(self, draft: Draft) -> None:
        """Remove a draft whose edits live on elsewhere, unless another window has added to it meanwhile."""
        with suppress(DraftConflict, ClusterError):
            self._drafts.write(draft.id, draft.history, draft.version)  # from here on, other windows cannot add to it
            self._drafts.discard(draft.id)

    # -- revisions ------------------------------------------------------------------------------------------

    def save(self, person: Person, opened: OpenDraft, note: str = "") -> Revision:
        """Save a draft as a revision of the collection as it is now, and end the draft.

        Raises NotAllowed, ClusterError, DraftConflict if the draft was changed in another window, and RevisionConflict
        if someone saved since it was begun: nothing is written then, the draft stays, and `rebase` lays it on what is
        there now.
        """
        self._access.require_curator(person, DOING)
        draft, current = opened.draft, self._drafts.get(opened.draft.id)
        if current.version != draft.version:
            raise DraftConflict(f"draft {draft.id} was changed elsewhere: see what it holds now, then save", current)
        revision = self.save_plan(person, draft.collection, opened.plan, draft.parent, note)
        self._end(draft)
        return revision

    def save_plan(self, person: Person, collection: str, plan: Plan, parent: int | None, note: str = "") -> Revision:
        """Save a plan on top of the newest revision, `parent`. Raises as `save` does."""
        self._access.require_curator(person, DOING)
        view = self._desk.view(collection, plan, parent)
        clustering = clustering_of(view, self._desk.suggestions(collection, view))
        version = view.base.snapshot.version
        revision = self._revisions.save(
            collection, version, parent, plan.threshold, to_document(plan), clustering, person.author, note
        )
        self._revisions.prune(collection, KEPT_REVISIONS)
        return revision

    def publish(self, person: Person, revision_id: int, expected: int | None) -> Revision:
        """Let others rely on a revision; `expected` is the one they rely on so far. Raises as `save` does."""
        self._access.require_curator(person, "publish clusters")
        return self._revisions.publish(revision_id, person.author, expected)

    def restore(self, person: Person, revision_id: int, note: str = "") -> Revision:
        """Save an old revision again, as the newest. Raises NotAllowed, ClusterError, RevisionConflict."""
        self._access.require_curator(person, DOING)
        return self._revisions.restore(revision_id, person.author, note or f"revision {revision_id} again")

    def name(self, person: Person, revision_id: int, name: str) -> Revision:
        """Give a revision a name, which keeps it for ever; an empty one takes the name away. Raises NotAllowed."""
        self._access.require_curator(person, DOING)
        return self._revisions.name_revision(revision_id, name)

    def prune(self, person: Person, collection: str, keep: int) -> int:
        """Remove all but the newest revisions, and those that are published or named; says how many went.

        Raises NotAllowed, and ClusterError if none is to be kept.
        """
        self._access.require_curator(person, DOING)
        return self._revisions.prune(collection, keep)


def _opened(draft: Draft) -> OpenDraft:
    return OpenDraft(draft, history_from_document(draft.history))


def clustering_of(view: ClusterView, suggestions: list[NameSuggestion | None]) -> Clustering:
    """A view as it is saved: clusters that still have members, names suggested where nobody gave one."""
    kept = np.flatnonzero(view.sizes > 0)
    numbers = np.full(len(view.clusters) + 1, -1, np.int32)
    numbers[kept] = np.arange(len(kept), dtype=np.int32)
    order = by_label(view.labels)
    begin, end = (np.searchsorted(view.labels[order], kept, side).tolist() for side in ("left", "right"))
    records = tuple(
        _record(view, number, suggestions[number], order[first:last].tolist())
        for number, first, last in zip(kept.tolist(), begin, end, strict=True)
    )
    return Clustering(view.asset_ids, numbers[view.labels], records)


def _record(view: ClusterView, number: int, suggestion: NameSuggestion | None, members: list[int]) -> ClusterRecord:
    cluster, measures = view.clusters[number], view.measures
    representative = int(measures.representatives[number])
    centroid = measures.centroids[number]
    return ClusterRecord(
        id=cluster.id,
        name=name_of(cluster, suggestion),
        confirmed=cluster.confirmed,
        description=cluster.description,
        size=len(members),
        threshold=cluster.threshold,
        no_group=cluster.no_group,
        representative=view.asset_ids[representative],
        cohesion=float(measures.cohesion[number]),
        centroid=centroid if centroid.any() else _direction(view.base.snapshot.vectors[representative]),
        sketch=tuple(heapq.nsmallest(WITNESSES, (view.asset_ids[row] for row in members))),
    )


def _direction(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """A stand-in for a centroid whose members cancel out."""
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else np.eye(1, len(vector), dtype=np.float32)[0]


def name_of(cluster: Cluster, suggestion: NameSuggestion | None) -> str:
    """The name that curators gave, or the lineage or the pictures suggest."""
    return cluster.name or (suggestion.name if suggestion else "")
