"""Borderline pairs: same group or different? The answers suggest a threshold."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.clusters.edits.model import PairConstraint, SetThreshold
from core.clusters.views.borderline_pairs import BorderlinePair
from core.clusters.views.cluster_view import ClusterView
from pages.clusters.draft_state import DraftState, apply_edit
from pages.ui.format import escape_markdown
from pages.ui.routes import image_address

MAX_PAIRS = 6


def show_border_pairs(app: App, state: DraftState, view: ClusterView) -> None:
    """Pairs of pictures that the threshold only just joins or separates."""
    st.caption(
        "These pairs are close to the threshold. Say whether they belong together; your answers are saved with the "
        "revision."
    )
    advice = app.clusters.threshold_estimate(view)
    if advice is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"Your {advice.answers} answers suggest **{advice.threshold:.3f}** ± {advice.uncertainty:.3f}.",
                width="content",
            )
            st.button(
                "Use this threshold",
                key="take_advice",
                on_click=apply_edit,
                args=(app, state.collection, SetThreshold(advice.threshold)),
            )
    pairs = app.clusters.borderline_pairs(view, MAX_PAIRS)
    if not pairs:
        st.info("There are no more pairs to review.", icon=":material/done_all:")
    for position, pair in enumerate(pairs):
        show_pair(app, state, view, pair, position)


def show_pair(app: App, state: DraftState, view: ClusterView, pair: BorderlinePair, position: int) -> None:
    ids = [view.asset_ids[pair.a], view.asset_ids[pair.b]]
    joined = view.labels[pair.a] == view.labels[pair.b] and view.labels[pair.a] >= 0
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        for hit in app.pictures(state.collection, ids):
            address = image_address(state.collection, hit.asset.id)
            st.image(address, width=150, caption=escape_markdown(hit.asset.title))
        with st.container(width="content"):
            st.caption(f"{'Together' if joined else 'Apart'} now; they join at {pair.similarity:.3f}")
            if state.may_edit:
                with st.container(horizontal=True):
                    for label, same in (("Same cluster", True), ("Different clusters", False)):
                        st.button(
                            label,
                            key=f"{'same' if same else 'different'}_{position}",
                            on_click=apply_edit,
                            args=(app, state.collection, PairConstraint(min(ids), max(ids), same)),
                        )
