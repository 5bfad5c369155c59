"""What this person edits: a draft, or a saved clustering with the URL's thresholds; and applying an edit to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

import streamlit as st
from streamlit.errors import StreamlitAPIException

from core.access import Person, is_unnamed
from core.app import App
from core.clusters.curation import OpenDraft
from core.clusters.edits.model import Edit, SetMinClusterSize, SetThreshold
from core.clusters.edits.plan import Plan, apply
from core.errors import ClusterError, ContactSheetError
from core.records.clusterings import DraftConflict, Revision
from pages.ui.format import sentence
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

NOTICE = "clusters_notice"
OWNED_DRAFTS = "clusters_owned_drafts"  # drafts that this session has had open as its own: the name typed then, by id


@dataclass(frozen=True)
class DraftState:
    """The plan that the page shows, the revision it is based on (None if nothing is saved) and its draft, if any."""

    collection: str
    plan: Plan
    parent: Revision | None
    published: Revision | None
    opened: OpenDraft | None
    curator: bool

    @property
    def foreign(self) -> bool:
        """Whether the draft that the URL names is of someone else."""
        return self.opened is not None and not self.opened.is_owned_by(person())

    @property
    def may_edit(self) -> bool:
        """Whether this person may change what the page shows; the sliders are for everyone."""
        return self.curator and not self.foreign

    @property
    def parent_id(self) -> int | None:
        return self.parent.id if self.parent else None

    @property
    def published_id(self) -> int | None:
        return self.published.id if self.published else None

    @property
    def parent_is_published(self) -> bool:
        return self.parent is not None and self.parent_id == self.published_id

    @property
    def unsaved(self) -> int:
        """How many edits are not saved yet."""
        return len(self.opened.history.done) if self.opened else 0


def current_state(app: App, collection: str) -> DraftState:
    """The draft in the URL or this curator's latest one; otherwise the saved clustering with the URL's thresholds."""
    revisions, curator = app.clusters.revisions, app.access.is_curator(person())
    published, newest = revisions.published(collection), revisions.newest(collection)
    opened = _open_draft(app, collection)
    if opened is not None:
        parent = revisions.get(opened.record.parent) if opened.record.parent else None
        state = DraftState(collection, opened.plan, parent, published, opened, curator)
        # Viewers may move the sliders of a draft too, for themselves.
        return state if state.may_edit else replace(state, plan=_with_url_thresholds(opened.plan))
    parent = newest if curator else published or newest
    return DraftState(
        collection, _with_url_thresholds(app.clusters.revision_plan(parent)), parent, published, None, curator
    )


def _open_draft(app: App, collection: str) -> OpenDraft | None:
    draft_id = st.query_params.get("draft")
    if draft_id:
        try:
            opened = app.curation.draft(draft_id)
        except ClusterError:
            st.query_params.pop("draft", None)
            notify("The draft in this link no longer exists; you see what is saved.")
        else:
            return _renamed_draft(app, opened) if opened.record.collection == collection else None
    who = person()
    if app.access.is_curator(who) and not {"t", "min"} & set(st.query_params):
        left = app.curation.unsaved_draft(who, collection)
        if left is not None:
            st.query_params["draft"] = left.record.id
            return _renamed_draft(app, left)
    return None


def _renamed_draft(app: App, opened: OpenDraft) -> OpenDraft:
    """A draft under the name that its owner works under now: one may begin without a name, and enter it to save."""
    who, owned, draft_id = person(), st.session_state.setdefault(OWNED_DRAFTS, {}), opened.record.id
    before = replace(who, name=owned.get(draft_id, who.name))
    if opened.is_owned_by(who):
        owned[draft_id] = who.name
    elif is_unnamed(opened.record.owner) and opened.is_owned_by(before) and app.access.is_curator(who):
        with suppress(DraftConflict):  # another window of theirs was first
            opened = app.curation.hand_over(before, opened, who)
            owned[draft_id] = who.name
    return opened


def _with_url_thresholds(plan: Plan) -> Plan:
    """The plan with the threshold and the minimum cluster size of the URL; values that are not valid leave the URL."""
    for name, parse in _URL_EDITS.items():
        text = st.query_params.get(name)
        if text:
            try:
                plan = apply(plan, parse(text))
            except (ValueError, ClusterError):
                st.query_params.pop(name, None)
    return plan


_URL_EDITS: Mapping[str, Callable[[str], Edit]] = {
    "t": lambda text: SetThreshold(float(text)),
    "min": lambda text: SetMinClusterSize(int(text)),
}


@uninterrupted
def apply_edit(app: App, collection: str, edit: Edit, coalesce: bool = False) -> None:
    """Apply an edit: to a draft, which is saved at once, or for viewers to the URL."""
    with reporting_errors():
        state = current_state(app, collection)
        if not state.may_edit:
            _write_url_threshold(app, edit, state)
            return
        opened = state.opened or app.curation.open(person(), collection)
        if state.opened is None:
            opened = _adopt_url_thresholds(app, opened, state.plan)
        opened = app.curation.edit(person(), opened, edit, coalesce)
        st.query_params["draft"] = opened.record.id


def _adopt_url_thresholds(app: App, opened: OpenDraft, plan: Plan) -> OpenDraft:
    """Start the draft with the thresholds that the URL showed."""
    for name in ("t", "min"):
        st.query_params.pop(name, None)
    for edit in (SetThreshold(plan.threshold), SetMinClusterSize(plan.min_cluster_size)):
        opened = app.curation.edit(person(), opened, edit)
    return opened


def _write_url_threshold(app: App, edit: Edit, state: DraftState) -> None:
    match edit:
        case SetThreshold(threshold):
            st.query_params["t"] = repr(threshold)
        case SetMinClusterSize(size):
            st.query_params["min"] = str(size)
        case _ if state.curator:
            notify(foreign_draft_line(app, state))
        case _:
            notify("Only curators may change clusters; the sliders are for everyone.")


def foreign_draft_line(app: App, state: DraftState) -> str:
    """Whose draft this is, for a curator who opened it by its address, and how to change it."""
    record = state.opened.record if state.opened else None
    if record is None or is_unnamed(record.owner):
        return "This draft belongs to someone without a name; you can only view it. If it is yours, clear your name."
    line = f"This draft belongs to {record.author}; you can only view it."
    return line if app.access.sign_in is not None else f"{line} If it is yours, give that name at the upper right."


@uninterrupted
def update_draft(app: App, collection: str, act: Callable[[Person, OpenDraft], OpenDraft]) -> None:
    """Undo, redo and the like, if there is a draft."""
    with reporting_errors():
        opened = current_state(app, collection).opened
        if opened is not None:
            act(person(), opened)


def rerun_explorer() -> None:
    """Rerun the explorer fragment, or the whole page if this is not a fragment run."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:
        st.rerun()


@dataclass(frozen=True)
class Notice:
    """What is said at the top of the page, and whether it tells of a success."""

    text: str
    success: bool = False


def notify(text: str, success: bool = False) -> None:
    """Show a notice at the top of the page, in this run or the next."""
    st.session_state[NOTICE] = Notice(sentence(text), success)


@contextmanager
def reporting_errors() -> Iterator[None]:
    """Turn errors into a notice, so that a callback never loses the page."""
    try:
        yield
    except DraftConflict:
        notify("This draft was changed in another window. You now see its current state; make your change again.")
    except ContactSheetError as error:
        notify(str(error))
