"""Sends pictures to a cluster of this curator's draft, where they are held at any threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.app import App
from core.clusters.curation import OpenDraft
from core.clusters.edits.model import Move, Pin
from core.clusters.views.cluster_view import ClusterView
from core.errors import ClusterError, ContactSheetError
from core.text import counted
from pages.clusters.cluster_detail import cluster_names_of, cluster_options, cluster_ref
from pages.library.outcome_notice import Notice, notify, reporting_errors
from pages.search.selection import change_selection
from pages.ui.error_line import showing_errors
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

NEW_CLUSTER = ""  # no cluster has this id


def show_cluster_form(app: App, collection: str, asset_ids: Sequence[str]) -> None:
    """Choose a cluster of the draft, or a new one."""
    with showing_errors():
        draft = app.curation.open(person(), collection)
        view = _view(app, draft)
        names = cluster_names_of(app, collection, view)
        options = {NEW_CLUSTER: "a new cluster", **cluster_options(view, np.flatnonzero(view.sizes).tolist(), names)}
        target = st.selectbox("Cluster", list(options), key="send_to", format_func=options.__getitem__)
        st.button(
            f"Send {counted(len(asset_ids), 'picture')}",
            key="send",
            type="primary",
            on_click=send_to_cluster,
            args=(app, collection, tuple(asset_ids), target, options[target]),
        )
        st.caption("They go to your draft on the Clusters page, where it is saved or undone.")


@uninterrupted
def send_to_cluster(app: App, collection: str, asset_ids: Sequence[str], target: str, name: str) -> None:
    """Pin pictures to a cluster of the draft, or make a new one of them; a notice says what became of it."""
    with reporting_errors("search"):
        draft = app.curation.open(person(), collection)
        view = _view(app, draft)
        movable = tuple(sorted(set(asset_ids) & set(view.partition.asset_ids)))
        if not movable:
            raise ClusterError("these pictures are not linked yet: wait for the job to end, then send them again")
        edit = Pin(movable, cluster_ref(view, target)) if target else Move(movable, None)
        app.curation.edit(person(), draft, edit)
        notify(Notice(f"{counted(len(movable), 'picture')} sent to {name} in your draft.", section="search"))
        change_selection(False)


def _view(app: App, draft: OpenDraft) -> ClusterView:
    collection = draft.record.collection
    if app.clusters.base(collection) is None:
        raise ContactSheetError(f"the pictures of {collection} are not linked yet: open the Clusters page first")
    return app.clusters.view(collection, draft.plan, draft.record.parent)
