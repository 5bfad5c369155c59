"""The part of the page that answers at once: thresholds, map, selection, clusters."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.clusters.views.view import ClusterView
from pages.clusters.cluster_detail import open_cluster
from pages.clusters.cluster_list import cluster_list
from pages.clusters.dial import show_dial
from pages.clusters.draft_bar import draft_bar
from pages.clusters.draft_state import NOTICE, current_work
from pages.clusters.map_view import show_map
from pages.clusters.pair_review import pair_review
from pages.clusters.published_changes import show_changes
from pages.clusters.revision_list import show_history
from pages.search.picture_details import show_details
from pages.ui.format import plain

SECTIONS = ("Clusters", "What would change", "Border pairs", "History")


@st.fragment
def explorer(app: App, collection: str) -> None:
    """Runs again by itself for everything done in it; the page around it stays."""
    work = current_work(app, collection)
    view = app.clusters.view(collection, work.plan, work.parent_id)
    notice = st.session_state.pop(NOTICE, None)
    with st.container():  # containers are always there: what stands below keeps its place, and a popover stays open
        if notice:
            st.warning(plain(notice), icon=":material/info:")
    with st.container():
        draft_bar(app, work, view)
    with st.container():
        leave_or_look(app, collection)
    curve, steady = app.clusters.curve(view.base, collection, work.plan.smallest)
    dial, board = st.container(), st.container()
    with board:  # before the dial, which is free for the next move once it has heard of this one
        show_map(app, work, view)
    with dial:
        show_dial(app, work, curve, steady)
        st.caption(summary(view))
    with st.container():
        open_cluster(app, work, view)
    section = st.segmented_control(
        "Show",
        SECTIONS,
        key="section",
        default=SECTIONS[0],
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    if section == SECTIONS[0]:
        cluster_list(app, work, view)
    elif section == SECTIONS[1]:
        show_changes(app, work, view)
    elif section == SECTIONS[2]:
        pair_review(app, work, view)
    else:
        show_history(app, work)


def leave_or_look(app: App, collection: str) -> None:
    """Details of a picture open here; pictures like it are a matter of the search."""
    like = st.query_params.pop("like", None)
    if like:
        st.switch_page("pages/search/page.py", query_params={"collection": collection, "like": like})
    if "photo" in st.query_params:
        show_details(app, collection, st.query_params["photo"])


def summary(view: ClusterView) -> str:
    """One line: how many clusters, and what is in none."""
    alone = int((view.labels < 0).sum())
    newcomers = len(view.base.newcomers)
    parts = [f"{len(view.clusters):,} clusters", f"{alone:,} of {len(view.labels):,} pictures in none"]
    if newcomers:
        parts.append(f"{newcomers:,} new ones assigned")
    return " · ".join(parts)
