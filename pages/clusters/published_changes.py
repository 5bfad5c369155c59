"""What would change for those who rely on the published clusters, in words and pictures."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.clusters.lineage.diff import AssetMove
from core.clusters.lineage.diff_sentences import describe_diff
from core.clusters.views.cluster_view import ClusterView
from core.text import counted
from pages.clusters.draft_state import DraftState
from pages.ui.format import escape_markdown
from pages.ui.gallery import GalleryActions, GalleryLayout, find_similar, gallery, open_picture

MAX_FLOWS, MAX_PICTURES = 6, 8


def show_changes(app: App, state: DraftState, view: ClusterView) -> None:
    """The difference from the published revision or, without one, from the revision that this is based on."""
    before = state.published or state.parent
    if before is None:
        st.info("Nothing is saved yet, so everything here is new.", icon=":material/difference:")
        return
    st.caption(f"From revision {before.id}{' (published)' if before.published else ''} to what you see now.")
    changes = app.clusters.changes_since(before.id, view)
    for sentence in describe_diff(changes, 20):
        st.markdown(f"- {escape_markdown(sentence)}")
    flows = sorted(changes.flows, key=lambda flow: -len(flow.asset_ids))[:MAX_FLOWS]
    names = {c.id: c.name for c in app.clusters.clustering(before.id).clusters}
    names |= {c.id: c.name for c in view.clusters if c.name}
    actions, layout = GalleryActions(open_picture, find_similar), GalleryLayout("small", show_similarity=False)
    for position, flow in enumerate(flows):
        st.markdown(flow_title(flow, names))
        hits = app.pictures(state.collection, flow.asset_ids[:MAX_PICTURES])
        gallery(state.collection, hits, f"flow_{position}", actions, layout)


def flow_title(flow: AssetMove, names: dict[str, str]) -> str:
    """`12 pictures: Boats → Harbours`."""

    def label(cluster_id: str | None) -> str:
        return escape_markdown(names.get(cluster_id) or cluster_id) if cluster_id else "unclustered"

    return f"**{counted(len(flow.asset_ids), 'picture')}**: {label(flow.before)} → {label(flow.after)}"
