"""What this person works on: a draft, or a saved clustering with another threshold; and how a change is made to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st
from streamlit.errors import StreamlitAPIException

from core.access import Person
from core.app import App
from core.clusters.curation import OpenDraft
from core.clusters.edits.model import Edit, SetSmallest, SetThreshold
from core.clusters.edits.plan import Plan, apply
from core.errors import ClusterError, ContactSheetError
from core.records.clusterings import DraftConflict, Revision
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

NOTICE = "clusters_notice"


@dataclass(frozen=True)
class DraftState:
    """A plan on top of a revision (`parent`, None where nothing is saved), the draft that holds it, if one does."""

    collection: str
    plan: Plan
    parent: Revision | None
    published: Revision | None
    opened: OpenDraft | None
    curator: bool

    @property
    def parent_id(self) -> int | None:
        return self.parent.id if self.parent else None

    @property
    def unsaved(self) -> int:
        """How many edits are not saved yet."""
        return len(self.opened.history.done) if self.opened else 0


def current_work(app: App, collection: str) -> DraftState:
    """The draft in the URL or the one this curator left behind; otherwise what is saved, with the URL's threshold."""
    revisions, who = app.clusters.revisions, person()
    published, newest = revisions.published(collection), revisions.newest(collection)
    curator = app.access.is_curator(who)
    opened = _draft(app, collection)
    if opened is not None:
        parent = revisions.get(opened.draft.parent) if opened.draft.parent else None
        plan = opened.plan if curator else _as_in_url(opened.plan)  # who may look only can play with a draft too
        return DraftState(collection, plan, parent, published, opened, curator)
    parent = newest if curator else published or newest
    return DraftState(collection, _as_in_url(app.clusters.plan_of(parent)), parent, published, None, curator)


def _draft(app: App, collection: str) -> OpenDraft | None:
    draft_id, who = st.query_params.get("draft"), person()
    if draft_id:
        try:
            opened = app.curators.draft(draft_id)
        except ClusterError:
            st.query_params.pop("draft", None)
            tell("The draft of this link is no longer there; this is what is saved.")
        else:
            return opened if opened.draft.collection == collection else None
    if app.access.is_curator(who) and not {"t", "min"} & set(st.query_params):
        left = app.curators.left_behind(who, collection)
        if left is not None:
            st.query_params["draft"] = left.draft.id
        return left
    return None


def _as_in_url(plan: Plan) -> Plan:
    """The plan with the threshold and the smallest cluster of the URL, as far as they are allowed."""
    for name, make in (("t", lambda text: SetThreshold(float(text))), ("min", lambda text: SetSmallest(int(text)))):
        text = st.query_params.get(name)
        if text:
            try:
                plan = apply(plan, make(text))
            except (ValueError, ClusterError):
                st.query_params.pop(name, None)
    return plan


@uninterrupted
def change(app: App, collection: str, edit: Edit, coalesce: bool = False) -> None:
    """Make an edit: to a draft, which is written at once, or to the URL for those who may look only."""
    with telling():
        work = current_work(app, collection)
        if not work.curator:
            _change_url(edit)
            return
        opened = work.opened or app.curators.open(person(), collection)
        if work.opened is None:
            opened = _take_over_url(app, opened, work.plan)
        opened = app.curators.edit(person(), opened, edit, coalesce)
        st.query_params["draft"] = opened.draft.id


def _take_over_url(app: App, opened: OpenDraft, plan: Plan) -> OpenDraft:
    """A draft begins with what the URL showed."""
    for name in ("t", "min"):
        st.query_params.pop(name, None)
    for edit in (SetThreshold(plan.threshold), SetSmallest(plan.smallest)):
        opened = app.curators.edit(person(), opened, edit)
    return opened


def _change_url(edit: Edit) -> None:
    match edit:
        case SetThreshold(threshold):
            st.query_params["t"] = repr(threshold)
        case SetSmallest(size):
            st.query_params["min"] = str(size)
        case _:
            tell("Only curators may change clusters; the sliders are for everyone.")


@uninterrupted
def with_draft(app: App, collection: str, act: Callable[[Person, OpenDraft], OpenDraft]) -> None:
    """Undo, redo and the like, where there is a draft."""
    with telling():
        opened = current_work(app, collection).opened
        if opened is not None:
            act(person(), opened)


def again() -> None:
    """Run the explorer again; all of the page where this is not a run of the explorer alone."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:
        st.rerun()


def tell(text: str) -> None:
    """Say something at the top of the page in this run or the next."""
    st.session_state[NOTICE] = text


@contextmanager
def telling() -> Iterator[None]:
    """Turn errors of what is held into a notice, so that a callback never loses the page."""
    try:
        yield
    except DraftConflict:
        tell("This draft was changed in another window. This is its present state; make your change again.")
    except ContactSheetError as error:
        tell(str(error))
