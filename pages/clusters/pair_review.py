"""Border pairs: is this the same group? The answers suggest a threshold."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.clusters.edits.model import PairConstraint, SetThreshold
from core.clusters.views.borderline_pairs import BorderlinePair
from core.clusters.views.view import ClusterView
from pages.clusters.draft_state import DraftState, change
from pages.ui.format import plain

SHOWN = 6


def pair_review(app: App, work: DraftState, view: ClusterView) -> None:
    """Pairs of pictures that the threshold just joins or just keeps apart."""
    st.caption(
        "The threshold decides about these pairs. Say what you would have; the answers are kept with the revision."
    )
    advice = app.clusters.advice(view)
    if advice is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f"Your {advice.answers} answers speak for **{advice.threshold:.3f}** ± {advice.uncertainty:.3f}.",
                width="content",
            )
            st.button(
                "Take it",
                key="take_advice",
                on_click=change,
                args=(app, work.collection, SetThreshold(advice.threshold)),
            )
    pairs = app.clusters.borderline_pairs(view, SHOWN)
    if not pairs:
        st.info("There is no pair left to ask about.", icon=":material/done_all:")
    for place, pair in enumerate(pairs):
        show_pair(app, work, view, pair, place)


def show_pair(app: App, work: DraftState, view: ClusterView, pair: BorderlinePair, place: int) -> None:
    ids = [view.asset_ids[pair.a], view.asset_ids[pair.b]]
    joined = view.labels[pair.a] == view.labels[pair.b] and view.labels[pair.a] >= 0
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        for hit in app.pictures(work.collection, ids):
            st.image(hit.thumbnail, width=150, caption=plain(hit.asset.title))
        with st.container(width="content"):
            st.caption(f"{'together' if joined else 'apart'} now · they join at {pair.similarity:.4f}")
            if work.curator:
                with st.container(horizontal=True):
                    for label, same in (("Same group", True), ("Different", False)):
                        st.button(
                            label,
                            key=f"{'same' if same else 'different'}_{place}",
                            on_click=change,
                            args=(app, work.collection, PairConstraint(min(ids), max(ids), same)),
                        )
