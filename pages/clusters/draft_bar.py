"""The bar of a draft: what is not saved, undo and redo, save and publish."""

from __future__ import annotations

import streamlit as st

from core.access import Role
from core.app import App
from core.clusters.curation import OpenDraft
from core.clusters.lineage.diff_sentences import describe_diff
from core.clusters.views.cluster_view import ClusterView
from core.records.clusterings import RevisionConflict
from pages.clusters.draft_state import (
    DraftState,
    foreign_draft_line,
    notify,
    reporting_errors,
    rerun_explorer,
    update_draft,
)
from pages.ui.format import escape_markdown
from pages.ui.person import ask_for_name, person, rerun_once_named
from pages.ui.streamlit_internals import uninterrupted

MAX_UNAPPLIED_SHOWN = 8


def show_draft_bar(app: App, state: DraftState, view: ClusterView) -> None:
    """What is being edited, and the actions on it."""
    rerun_once_named()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(headline(state), width="content")
        if state.may_edit:
            if state.opened is not None:
                undo_buttons(app, state.collection, state.opened)
            save_popover(app, state)
            publish_button(app, state)
    if state.curator and state.foreign:
        st.caption(f":material/lock: {escape_markdown(foreign_draft_line(app, state))}")
        if app.access.is_admin(person()):
            take_over = app.curation.take_over
            st.button("Take it over", key="take_over", on_click=update_draft, args=(app, state.collection, take_over))
    elif not state.curator:
        how = app.access.how_to_become(Role.CURATOR)
        st.caption(f":material/lock_open: Move the sliders as you like; nothing is changed for others. To save, {how}.")
    show_unapplied_edits(view)
    show_conflict(app, state)


def undo_buttons(app: App, collection: str, opened: OpenDraft) -> None:
    for label, enabled, action in (
        ("Undo", opened.history.can_undo, app.curation.undo),
        ("Redo", opened.history.can_redo, app.curation.redo),
    ):
        st.button(
            label,
            icon=f":material/{label.lower()}:",
            disabled=not enabled,
            key=label.lower(),
            type="tertiary",
            on_click=update_draft,
            args=(app, collection, action),
        )


def headline(state: DraftState) -> str:
    """One line: the draft and its number of changes, or the revision."""
    base = f"revision {state.parent.id}" if state.parent else "nothing saved yet"
    if state.unsaved:
        count = f"{state.unsaved} change{'' if state.unsaved == 1 else 's'}"
        on = f" on {base}" if state.parent else ""
        whose = f" of {escape_markdown(state.opened.record.author)}" if state.opened and state.foreign else ""
        return f":material/edit_note: **Draft{whose}**{on} · {count} not saved"
    published = " · published" if state.parent_is_published else ""
    return f":material/bookmark: **{base[0].upper()}{base[1:]}**{published}"


def save_popover(app: App, state: DraftState) -> None:
    if not state.unsaved and state.parent is not None:
        return
    with st.popover("Save", icon=":material/save:"):
        ask_for_name(app, "save")
        note = st.text_input("What is this revision about?", key="save_note", max_chars=500)
        if st.button("Save revision", type="primary", key="save"):
            with reporting_errors():
                save_revision(app, state, note)
            rerun_explorer()


def save_revision(app: App, state: DraftState, note: str) -> None:
    try:
        opened = state.opened or app.curation.open(person(), state.collection)
        revision = app.curation.save(person(), opened, note)
    except RevisionConflict as error:
        st.session_state["conflict"] = error.newest.id
        return
    for name in ("draft", "t", "min"):
        st.query_params.pop(name, None)
    st.session_state.pop("conflict", None)
    notify(f"Saved as revision {revision.id}: {revision.cluster_count} clusters.")


def publish_button(app: App, state: DraftState) -> None:
    """A button, or for someone whose name is not known yet a popover that asks for it first."""
    parent = state.parent
    if state.unsaved or parent is None or state.parent_is_published:
        return
    what = "New pictures are then assigned to these clusters, and everyone sees them first."
    if person().given_name:
        publish_now(app, state, parent.id, what)
        return
    with st.popover("Publish", icon=":material/publish:", help=what):
        ask_for_name(app, "publish")
        publish_now(app, state, parent.id, what)


def publish_now(app: App, state: DraftState, revision: int, what: str) -> None:
    if st.button("Publish", icon=":material/publish:", key="publish", help=what):
        with reporting_errors():
            app.curation.publish(person(), revision, state.published_id)
            app.assign(state.collection)
            notify(f"Revision {revision} is published.")
        rerun_explorer()


def show_unapplied_edits(view: ClusterView) -> None:
    """The edits of the plan that could not be applied at this threshold."""
    unapplied = view.partition.unapplied
    if unapplied and st.toggle(f"{len(unapplied)} things could not be carried", key="losses"):
        for edit in unapplied[:MAX_UNAPPLIED_SHOWN]:
            st.caption(escape_markdown(edit.sentence))
        if len(unapplied) > MAX_UNAPPLIED_SHOWN:
            st.caption(f"And {len(unapplied) - MAX_UNAPPLIED_SHOWN} more.")


def show_conflict(app: App, state: DraftState) -> None:
    """Someone saved since this draft was started: what they changed, and a way to rebase the draft."""
    newest_id = st.session_state.get("conflict")
    if newest_id is None or state.opened is None or state.foreign:
        return
    newest = app.clusters.revisions.get(newest_id)
    with st.container(border=True):
        st.warning(
            f"{escape_markdown(newest.author)} saved revision {newest.id} since you began. Your draft is kept.",
            icon=":material/call_split:",
        )
        if state.parent_id is not None:
            for sentence in describe_diff(app.clusters.diff_revisions(state.parent_id, newest.id), 6):
                st.caption(escape_markdown(sentence))
        st.button("Lay my changes on it", on_click=rebase_draft, args=(app, state.opened), key="rebase")


@uninterrupted
def rebase_draft(app: App, opened: OpenDraft) -> None:
    with reporting_errors():
        rebased = app.curation.rebase(person(), opened)
        st.query_params["draft"] = rebased.draft.record.id
        st.session_state.pop("conflict", None)
        dropped = f" {len(rebased.unapplied)} of them are not possible there." if rebased.unapplied else ""
        notify(f"Your changes now lie on revision {rebased.draft.record.parent}.{dropped}")
