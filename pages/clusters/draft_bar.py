"""The bar of a draft: what is not saved, undo and redo, save and publish."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.clusters.curation import OpenDraft
from core.clusters.lineage.diff_sentences import sentences
from core.clusters.views.view import ClusterView
from core.records.clusterings import RevisionConflict
from pages.clusters.draft_state import DraftState, again, tell, telling, with_draft
from pages.ui.format import plain
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

LOSSES_SHOWN = 8


def draft_bar(app: App, work: DraftState, view: ClusterView) -> None:
    """What one works on, and what can be done with it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(headline(work), width="content")
        if work.opened is not None and work.curator:
            history = work.opened.history
            for label, possible, act in (
                ("Undo", history.can_undo, app.curators.undo),
                ("Redo", history.can_redo, app.curators.redo),
            ):
                st.button(
                    label,
                    icon=f":material/{label.lower()}:",
                    disabled=not possible,
                    key=label.lower(),
                    type="tertiary",
                    on_click=with_draft,
                    args=(app, work.collection, act),
                )
        if work.curator:
            save(app, work)
            publish(app, work)
    if not work.curator:
        how = (
            "Sign in with the curator key"
            if app.access.asks_for_key
            else "Open this page on the computer that serves it"
        )
        st.caption(f":material/lock_open: Move the sliders as you like; nothing is changed for others. {how} to save.")
    losses(view)
    conflict(app, work)


def headline(work: DraftState) -> str:
    """One line: a draft with so many changes, or a revision."""
    base = f"revision {work.parent.id}" if work.parent else "nothing saved yet"
    if work.unsaved:
        count = f"{work.unsaved} change{'' if work.unsaved == 1 else 's'}"
        on = f" on {base}" if work.parent else ""
        return f":material/edit_note: **Draft**{on} · {count} not saved"
    published = work.published is not None and work.parent is not None and work.published.id == work.parent.id
    return f":material/bookmark: **{base[0].upper()}{base[1:]}**" + (" · published" if published else "")


def save(app: App, work: DraftState) -> None:
    if not work.unsaved and work.parent is not None:
        return
    with st.popover("Save", icon=":material/save:"):
        note = st.text_input("What is this revision about?", key="save_note", max_chars=500)
        if st.button("Save revision", type="primary", key="save"):
            with telling():
                save_now(app, work, note)
            again()


def save_now(app: App, work: DraftState, note: str) -> None:
    try:
        opened = work.opened or app.curators.open(person(), work.collection)
        revision = app.curators.save(person(), opened, note)
    except RevisionConflict as error:
        st.session_state["conflict"] = error.newest.id
        return
    for name in ("draft", "t", "min"):
        st.query_params.pop(name, None)
    st.session_state.pop("conflict", None)
    tell(f"Saved as revision {revision.id}: {revision.cluster_count} clusters.")


def publish(app: App, work: DraftState) -> None:
    parent, published = work.parent, work.published
    if work.unsaved or parent is None or (published is not None and published.id == parent.id):
        return
    if st.button(
        "Publish",
        icon=":material/publish:",
        key="publish",
        help="New pictures are then assigned to these clusters, and everyone sees them first.",
    ):
        with telling():
            app.curators.publish(person(), parent.id, published.id if published else None)
            app.assign(work.collection)
            tell(f"Revision {parent.id} is published.")
        again()


def losses(view: ClusterView) -> None:
    """What of the plan could not be carried to this threshold."""
    lost = view.partition.losses
    if lost and st.toggle(f"{len(lost)} things could not be carried", key="losses"):
        for loss in lost[:LOSSES_SHOWN]:
            st.caption(plain(loss.sentence))
        if len(lost) > LOSSES_SHOWN:
            st.caption(f"And {len(lost) - LOSSES_SHOWN} more.")


def conflict(app: App, work: DraftState) -> None:
    """Someone saved since this draft was begun: what they changed, and a way on that loses nothing."""
    newest_id = st.session_state.get("conflict")
    if newest_id is None or work.opened is None:
        return
    newest = app.clusters.revisions.get(newest_id)
    with st.container(border=True):
        st.warning(
            f"{plain(newest.author)} saved revision {newest.id} since you began. Your draft is kept.",
            icon=":material/call_split:",
        )
        if work.parent_id is not None:
            for sentence in sentences(app.clusters.difference(work.parent_id, newest.id), 6):
                st.caption(plain(sentence))
        st.button("Lay my changes on it", on_click=rebase, args=(app, work.opened), key="rebase")


@uninterrupted
def rebase(app: App, opened: OpenDraft) -> None:
    with telling():
        rebased = app.curators.rebase(person(), opened)
        st.query_params["draft"] = rebased.draft.draft.id
        st.session_state.pop("conflict", None)
        lost = f" {len(rebased.lost)} of them are not possible there." if rebased.lost else ""
        tell(f"Your changes now lie on revision {rebased.draft.draft.parent}.{lost}")
