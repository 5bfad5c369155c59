"""The bar of a draft: what is not saved, undo and redo, save and publish."""

from __future__ import annotations

import streamlit as st

from core.access import Role
from core.app import App
from core.clusters.curation import OpenDraft
from core.clusters.lineage.diff_sentences import describe_diff
from core.clusters.views.cluster_view import ClusterView
from core.records.clusterings import RevisionConflict
from core.text import counted
from pages.clusters.draft_state import (
    DraftState,
    current_state,
    foreign_draft_line,
    notify,
    reporting_errors,
    update_draft,
)
from pages.ui.format import escape_markdown
from pages.ui.person import how_to_become, person
from pages.ui.sign_in import name_field, take_name
from pages.ui.streamlit_internals import uninterrupted

MAX_UNAPPLIED_SHOWN = 8
NAMELESS = "nameless_form"


def show_draft_bar(app: App, state: DraftState, view: ClusterView) -> None:
    """What is being edited, and the actions on it."""
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
            st.button(
                "Take over draft", key="take_over", on_click=update_draft, args=(app, state.collection, take_over)
            )
    elif not state.curator:
        how = how_to_become(app.access, Role.CURATOR)
        st.caption(f":material/lock_open: Move the sliders freely: nothing changes for others. To save, {how}.")
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
        on = f" on {base}" if state.parent else ""
        whose = f" of {escape_markdown(state.opened.record.author)}" if state.opened and state.foreign else ""
        return f":material/edit_note: **Draft{whose}**{on} · {counted(state.unsaved, 'change')} not saved"
    published = " · published" if state.parent_is_published else ""
    return f":material/bookmark: **{base[0].upper()}{base[1:]}**{published}"


def save_popover(app: App, state: DraftState) -> None:
    if not state.unsaved and state.parent is not None:
        return
    with st.popover("Save", icon=":material/save:", key="save_popover"), st.form("save_form", border=False):
        name_field("save_name")
        st.text_input("Note about this revision", key="save_note", max_chars=500)
        st.form_submit_button("Save revision", type="primary", key="save", on_click=save_draft, args=(app, state))
        show_refusal("save")


@uninterrupted
def save_draft(app: App, state: DraftState) -> None:
    """Save what the page shows, under the name and with the note of the form."""
    if has_name(app, "save"):
        with reporting_errors():
            now = current_state(app, state.collection)
            saved_already = now.parent_id != state.parent_id or (state.opened is not None and now.opened is None)
            if not saved_already:  # by the first click of two
                save_revision(app, now, str(st.session_state.get("save_note", "")))


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
    notify(f"Saved as revision {revision.id}: {counted(revision.cluster_count, 'cluster')}.", success=True)


def publish_button(app: App, state: DraftState) -> None:
    """A button, or for someone whose name is not known yet a popover that asks for it first."""
    parent = state.parent
    if state.unsaved or parent is None or state.parent_is_published:
        return
    what = "New pictures will be assigned to these clusters, and everyone sees this revision first."
    icon, args = ":material/publish:", (app, state, parent.id)
    if person().given_name:
        st.button("Publish", icon=icon, key="publish", help=what, on_click=publish_revision, args=args)
        return
    popover = st.popover("Publish", icon=icon, help=what, key="publish_popover")
    with popover, st.form("publish_form", border=False):
        name_field("publish_name")
        st.form_submit_button("Publish", icon=icon, key="publish", on_click=publish_revision, args=args)
        show_refusal("publish")


@uninterrupted
def publish_revision(app: App, state: DraftState, revision: int) -> None:
    if has_name(app, "publish"):
        with reporting_errors():
            app.curation.publish(person(), revision, state.published_id)
            app.assign(state.collection)
            notify(f"Revision {revision} was published.", success=True)


def has_name(app: App, form: str) -> bool:
    """Whether this person has given a name, if only in the form now; if not, the form asks for it."""
    take_name(app, f"{form}_name")
    if person().given_name:
        return True
    st.session_state[NAMELESS] = form
    return False


def show_refusal(form: str) -> None:
    """What a form lacks, in the form."""
    if st.session_state.get(NAMELESS) == form:
        del st.session_state[NAMELESS]
        st.error("Give your name first.", icon=":material/person:")


def show_unapplied_edits(view: ClusterView) -> None:
    """The edits of the plan that could not be applied at this threshold."""
    unapplied = view.partition.unapplied
    if unapplied and st.toggle(f"{counted(len(unapplied), 'edit')} could not be applied here", key="unapplied"):
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
            f"{escape_markdown(newest.author)} saved revision {newest.id} after you began. Your draft is safe.",
            icon=":material/call_split:",
        )
        if state.parent_id is not None:
            for sentence in describe_diff(app.clusters.diff_revisions(state.parent_id, newest.id), 6):
                st.caption(escape_markdown(sentence))
        st.button(
            f"Rebase my draft onto revision {newest.id}", on_click=rebase_draft, args=(app, state.opened), key="rebase"
        )


@uninterrupted
def rebase_draft(app: App, opened: OpenDraft) -> None:
    with reporting_errors():
        rebased = app.curation.rebase(person(), opened)
        st.query_params["draft"] = rebased.draft.record.id
        st.session_state.pop("conflict", None)
        dropped = f" {counted(len(rebased.unapplied), 'edit')} could not be applied." if rebased.unapplied else ""
        notify(f"Your draft is now based on revision {rebased.draft.record.parent}.{dropped}", success=True)
