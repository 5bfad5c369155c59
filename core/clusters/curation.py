"""The service for curators: drafts, saving, publishing. Every change is authorised first, and none is ever lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.access import Access, Action, Person
from core.clusters.edits.model import ClusterRef, Edit
from core.clusters.edits.plan import Plan
from core.clusters.edits.plan_documents import history_from_document, history_to_document, plan_to_document
from core.clusters.edits.undo import History
from core.clusters.service import ClusterService
from core.clusters.tree.asset_index import stable_argsort
from core.clusters.views.cluster_view import ClusterView
from core.clusters.views.naming import NameSuggestion
from core.clusters.views.partition import Cluster
from core.errors import ClusterError, NotAllowed
from core.records.clusterings import Clustering, ClusterRecord, Draft, DraftConflict, NewRevision, Revision
from core.store.sql.draft_store import DraftStore
from core.store.sql.revision_store import RevisionStore

MAX_REVISIONS = 200


@dataclass(frozen=True)
class OpenDraft:
    """A stored draft and its history."""

    record: Draft
    history: History

    @property
    def plan(self) -> Plan:
        return self.history.plan

    def is_owned_by(self, person: Person) -> bool:
        """Whether this person started the draft, or was handed it."""
        return self.record.owner == person.identity

    @property
    def unsaved(self) -> bool:
        """Whether it has any edits, even if all are undone."""
        return self.history.can_undo or self.history.can_redo


@dataclass(frozen=True)
class RebaseResult:
    """The draft on the newest revision, and the edits that are not possible there, each with the reason."""

    draft: OpenDraft
    unapplied: tuple[tuple[Edit, str], ...]


class CurationService:
    """Drafts and revisions of all collections. Thread-safe, and safe across processes."""

    def __init__(self, clusters: ClusterService, revisions: RevisionStore, drafts: DraftStore, access: Access) -> None:
        self._clusters, self._revisions, self._drafts, self._access = clusters, revisions, drafts, access

    # -- drafts ---------------------------------------------------------------------------------------------

    def open(self, person: Person, collection: str) -> OpenDraft:
        """This person's latest draft if it has unsaved edits, else one on the newest revision.

        Raises NotAllowed, and CollectionError if there is no such collection.
        """
        self._access.require(person, Action.EDIT_CLUSTERS)
        self._clusters.require_collection(collection)
        newest, latest = self._revisions.newest(collection), self._latest_draft(person, collection)
        if latest is not None and (latest.unsaved or latest.record.parent == (newest.id if newest else None)):
            return latest
        return self._create(person, collection, newest, History.from_plan(self._clusters.revision_plan(newest)))

    def unsaved_draft(self, person: Person, collection: str) -> OpenDraft | None:
        """This person's latest draft, if it has unsaved edits."""
        latest = self._latest_draft(person, collection)
        return latest if latest is not None and latest.unsaved else None

    def _latest_draft(self, person: Person, collection: str) -> OpenDraft | None:
        record = self._drafts.latest_of(collection, person.identity)
        return self._open_draft(record) if record is not None else None

    def _open_draft(self, record: Draft) -> OpenDraft:
        successors = self._clusters.successors(record.collection)
        return OpenDraft(record, history_from_document(successors.document(record.history)))

    def draft(self, draft_id: str) -> OpenDraft:
        """A draft by its id; anyone may read it. Raises ClusterError if it is gone."""
        return self._open_draft(self._drafts.get(draft_id))

    def edit(self, person: Person, draft: OpenDraft, edit: Edit, coalesce: bool = False) -> OpenDraft:
        """Apply one more edit, written before this returns.

        Raises NotAllowed, also for someone else's draft, ClusterError, DraftConflict.
        """
        return self._update(person, draft, lambda history: history.do(edit, coalesce))

    def undo(self, person: Person, draft: OpenDraft) -> OpenDraft:
        """Undo the last edit. Raises NotAllowed, ClusterError, DraftConflict."""
        return self._update(person, draft, History.undo)

    def redo(self, person: Person, draft: OpenDraft) -> OpenDraft:
        """Redo the edit that was undone last. Raises NotAllowed, ClusterError, DraftConflict."""
        return self._update(person, draft, History.redo)

    def discard(self, person: Person, draft: OpenDraft) -> None:
        """Delete a draft with all its edits. Raises NotAllowed, also for someone else's draft."""
        self._require_owner(person, draft)
        with self._access.acting(person, Action.DISCARD_DRAFT, draft.record.collection, f"draft {draft.record.id}"):
            self._drafts.delete(draft.record.id)

    def rebase(self, person: Person, draft: OpenDraft) -> RebaseResult:
        """Repeat a draft's edits on the newest revision; the old draft stays if some are not possible there.

        Raises NotAllowed, also for someone else's draft.
        """
        self._require_owner(person, draft)
        newest = self._revisions.newest(draft.record.collection)
        history, unapplied = History.from_plan(self._clusters.revision_plan(newest)), list[tuple[Edit, str]]()
        for done in draft.history.done:
            try:
                history = history.do(done.edit)
            except ClusterError as error:
                unapplied.append((done.edit, str(error)))
        rebased = self._create(person, draft.record.collection, newest, history)
        if not unapplied:
            self._finish(draft.record)
        return RebaseResult(rebased, tuple(unapplied))

    def hand_over(self, person: Person, draft: OpenDraft, to: Person) -> OpenDraft:
        """Give a draft of this person to another, or to the same one under a new name.

        Raises NotAllowed, also for someone else's draft, and ClusterError, DraftConflict.
        """
        self._require_owner(person, draft)
        return self._hand_over(draft, to)

    def take_over(self, person: Person, draft: OpenDraft) -> OpenDraft:
        """Make someone else's draft this admin's. Raises NotAllowed, ClusterError, DraftConflict."""
        record = draft.record
        target = f"draft {record.id} of {record.author}"
        with self._access.acting(person, Action.TAKE_OVER_DRAFT, record.collection, target):
            return self._hand_over(draft, person)

    def _hand_over(self, draft: OpenDraft, to: Person) -> OpenDraft:
        record = self._drafts.hand_over(draft.record.id, draft.record.version, to.author, to.identity)
        return OpenDraft(record, draft.history)

    def _require_owner(self, person: Person, draft: OpenDraft) -> None:
        """Raise NotAllowed unless this person is a curator and the draft is theirs."""
        self._access.require(person, Action.EDIT_CLUSTERS)
        if not draft.is_owned_by(person):
            raise NotAllowed(
                f"this draft is {draft.record.author}’s, not {person.author}’s, and nobody else may change it:"
                " start a draft of your own, or give that name if it is yours"
            )

    def _create(self, person: Person, collection: str, parent: Revision | None, history: History) -> OpenDraft:
        parent_id, document = parent.id if parent else None, history_to_document(history)
        record = self._drafts.create(collection, parent_id, document, person.author, person.identity)
        return OpenDraft(record, history)

    def _update(self, person: Person, draft: OpenDraft, change: Callable[[History], History]) -> OpenDraft:
        self._require_owner(person, draft)
        history = change(draft.history)
        if history == draft.history:
            return draft
        record = self._drafts.update(draft.record.id, history_to_document(history), draft.record.version)
        return OpenDraft(record, history)

    def _finish(self, record: Draft) -> None:
        """Delete a draft whose edits are saved elsewhere, unless another window has added to it since."""
        with suppress(DraftConflict, ClusterError):
            self._drafts.update(record.id, record.history, record.version)  # a new version: other windows conflict
            self._drafts.delete(record.id)

    # -- revisions ------------------------------------------------------------------------------------------

    def save(self, person: Person, draft: OpenDraft, note: str = "") -> Revision:
        """Save a draft as a revision of the collection as it is now, and delete the draft.

        Raises NotAllowed, also for someone else's draft, ClusterError, DraftConflict if the draft was changed in
        another window, and RevisionConflict if someone has saved since it was started: then nothing is written, the
        draft stays, and `rebase` moves it to the newest revision.
        """
        self._require_owner(person, draft)
        record, current = draft.record, self._drafts.get(draft.record.id)
        if current.version != record.version:
            raise DraftConflict(f"draft {record.id} was changed elsewhere: see what it holds now, then save", current)
        revision = self.save_plan(person, record.collection, draft.plan, record.parent, note)
        self._finish(record)
        return revision

    def save_plan(self, person: Person, collection: str, plan: Plan, parent: int | None, note: str = "") -> Revision:
        """Save a plan on top of the newest revision, `parent`. Raises as `save` does."""
        with self._access.acting(
            person, Action.SAVE, collection, f"on revision {parent}" if parent else "the first revision"
        ):
            return self._save_plan(person, collection, plan, parent, note)

    def _save_plan(self, person: Person, collection: str, plan: Plan, parent: int | None, note: str) -> Revision:
        view = self._clusters.view(collection, plan, parent)
        clustering = clustering_from_view(view, self._clusters.name_suggestions(collection, view))
        version = view.base.snapshot.version
        new = NewRevision(
            collection=collection,
            collection_version=version,
            parent=parent,
            threshold=plan.threshold,
            plan=plan_to_document(plan),
            clustering=clustering,
            author=person.author,
            note=note,
        )
        revision = self._revisions.save(new)
        self._revisions.prune(collection, MAX_REVISIONS)
        return revision

    def publish(self, person: Person, revision_id: int, expected: int | None) -> Revision:
        """Publish a revision; `expected` is the one published so far. Raises as `save` does."""
        with self._access.acting(person, Action.PUBLISH, *self._target(revision_id)):
            return self._revisions.publish(revision_id, person.author, expected)

    def restore(self, person: Person, revision_id: int, note: str = "") -> Revision:
        """Save an old revision again, as the newest. Raises NotAllowed, ClusterError, RevisionConflict."""
        with self._access.acting(person, Action.RESTORE, *self._target(revision_id)):
            return self._revisions.restore(revision_id, person.author, note or f"revision {revision_id} again")

    def name_revision(self, person: Person, revision_id: int, name: str) -> Revision:
        """Name a revision, so that it is never pruned; an empty name removes it. Raises NotAllowed."""
        with self._access.acting(person, Action.NAME_REVISION, *self._target(revision_id)):
            return self._revisions.set_name(revision_id, name)

    def prune(self, person: Person, collection: str, keep: int) -> int:
        """Remove all but the newest `keep` revisions and those published or named; returns how many were removed.

        Raises NotAllowed, and ClusterError if `keep` is less than 1.
        """
        with self._access.acting(person, Action.PRUNE, collection, f"all but the newest {keep}"):
            return self._revisions.prune(collection, keep)

    def _target(self, revision_id: int) -> tuple[str, str]:
        """The collection of a revision and how the audit log calls it; without the collection where there is none."""
        with suppress(ClusterError):
            return self._revisions.get(revision_id).collection, f"revision {revision_id}"
        return "", f"revision {revision_id}"


def clustering_from_view(view: ClusterView, suggestions: list[NameSuggestion | None]) -> Clustering:
    """The clustering to save for a view: clusters that still have members, with suggested names where nobody gave one.

    `suggestions` has one entry per cluster of the view.
    """
    nonempty = np.flatnonzero(view.sizes > 0)
    new_labels = np.full(len(view.clusters) + 1, -1, np.int32)  # the last one is for label -1
    new_labels[nonempty] = np.arange(len(nonempty), dtype=np.int32)
    order = stable_argsort(view.labels)
    starts, ends = (np.searchsorted(view.labels[order], nonempty, side).tolist() for side in ("left", "right"))
    records = tuple(
        _record(view, number, suggestions[number], order[start:end].tolist())
        for number, start, end in zip(nonempty.tolist(), starts, ends, strict=True)
    )
    return Clustering(view.asset_ids, new_labels[view.labels], records)


def _record(view: ClusterView, number: int, suggestion: NameSuggestion | None, rows: list[int]) -> ClusterRecord:
    cluster, statistics = view.clusters[number], view.statistics
    representative = int(statistics.representatives[number])
    centroid = statistics.centroids[number]
    return ClusterRecord(
        id=cluster.id,
        name=cluster_name(cluster, suggestion),
        confirmed=cluster.confirmed,
        description=cluster.description,
        size=len(rows),
        threshold=cluster.threshold,
        no_group=cluster.no_group,
        representative=view.asset_ids[representative],
        cohesion=float(statistics.cohesion[number]),
        centroid=centroid if centroid.any() else _direction(view.base.snapshot.vectors[representative]),
        sample_ids=ClusterRef.from_members(view.asset_ids[row] for row in rows).sample_ids,
    )


def _direction(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """A unit vector in place of a centroid whose members cancel out."""
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else np.eye(1, len(vector), dtype=np.float32)[0]


def cluster_name(cluster: Cluster, suggestion: NameSuggestion | None) -> str:
    """A cluster's own name (given or inherited), else the suggested one; empty without either."""
    return cluster.name or (suggestion.name if suggestion else "")
