"""What would change for those who rely on the published clusters, in words and pictures."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.clusters.lineage.diff import Flow
from core.clusters.lineage.diff_sentences import sentences
from core.clusters.views.view import ClusterView
from pages.clusters.asset_grid import show_pictures
from pages.clusters.draft_state import DraftState
from pages.ui.format import plain

FLOWS_SHOWN, PICTURES_SHOWN = 6, 8


def show_changes(app: App, work: DraftState, view: ClusterView) -> None:
    """The difference from the published revision; without one, from the revision that this is laid on."""
    before = work.published or work.parent
    if before is None:
        st.info("Nothing is saved yet, so everything here is new.", icon=":material/difference:")
        return
    st.caption(f"From revision {before.id}{' (published)' if before.published else ''} to what you see now.")
    changes = app.clusters.changes(before.id, view)
    for sentence in sentences(changes, 20):
        st.markdown(f"- {plain(sentence)}")
    flows = sorted(changes.flows, key=lambda flow: -len(flow.asset_ids))[:FLOWS_SHOWN]
    names = {c.id: c.name for c in app.clusters.clustering(before.id).clusters}
    names |= {c.id: c.name for c in view.clusters if c.name}
    for place, flow in enumerate(flows):
        st.markdown(flow_title(flow, names))
        show_pictures(app, work.collection, flow.asset_ids[:PICTURES_SHOWN], f"flow_{place}", size="small")


def flow_title(flow: Flow, names: dict[str, str]) -> str:
    """`12 pictures: Boats → Harbours`."""

    def called(cluster_id: str | None) -> str:
        return plain(names.get(cluster_id) or cluster_id) if cluster_id else "unclustered"

    count = len(flow.asset_ids)
    return f"**{count} picture{'' if count == 1 else 's'}**: {called(flow.before)} → {called(flow.after)}"
