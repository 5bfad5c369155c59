"""The part of the page that responds at once: thresholds, map, selection, clusters."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.clusters.views.cluster_view import ClusterView
from core.text import counted
from pages.clusters.cluster_detail import show_open_cluster
from pages.clusters.cluster_list import show_clusters
from pages.clusters.dial import show_dial
from pages.clusters.draft_bar import show_draft_bar
from pages.clusters.draft_state import NOTICE, DraftState, Notice, current_state
from pages.clusters.map_view import show_map
from pages.clusters.pair_review import show_border_pairs
from pages.clusters.published_changes import show_changes
from pages.clusters.revision_list import show_revisions
from pages.search.picture_details import follow_picture_links
from pages.ui.error_line import showing_errors
from pages.ui.format import escape_markdown
from pages.ui.sign_in import rerun_if_changed

SECTIONS = ("Clusters", "What would change", "Border pairs", "History")


@st.fragment
def show_explorer(app: App, collection: str) -> None:
    """A fragment: what is done in it reruns it alone, without the rest of the page."""
    with showing_errors():
        _show_explorer(app, collection)


def _show_explorer(app: App, collection: str) -> None:
    rerun_if_changed()
    state = current_state(app, collection)
    view = app.clusters.view(collection, state.plan, state.parent_id)
    notice: Notice | None = st.session_state.pop(NOTICE, None)
    # The containers are always there, so that what is below keeps its position and an open popover stays open.
    with st.container():
        if notice is not None and notice.success:
            st.success(escape_markdown(notice.text), icon=":material/check:")
        elif notice is not None:
            st.warning(escape_markdown(notice.text), icon=":material/info:")
    with st.container():
        show_draft_bar(app, state, view)
    with st.container():
        follow_picture_links(app, collection)
    curve, steady = app.clusters.curve(view.base, collection, state.plan.min_cluster_size)
    dial, board = st.container(), st.container()
    with board:  # before the dial, which accepts the next move once this one is acknowledged
        show_map(app, state, view)
    with dial:
        show_dial(app, state, curve, steady)
        st.caption(cluster_summary(view))
    with st.container():
        show_open_cluster(app, state, view)
    show_section(app, state, view)


def show_section(app: App, state: DraftState, view: ClusterView) -> None:
    """The section that is chosen, and only that."""
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
        show_clusters(app, state, view)
    elif section == SECTIONS[1]:
        show_changes(app, state, view)
    elif section == SECTIONS[2]:
        show_border_pairs(app, state, view)
    else:
        show_revisions(app, state)


def cluster_summary(view: ClusterView) -> str:
    """One line: the numbers of clusters, of unclustered pictures and of newly assigned ones."""
    unclustered = int((view.labels < 0).sum())
    new_count = len(view.base.new_rows)
    parts = [
        f"{counted(len(view.clusters), 'cluster')}",
        f"{unclustered:,} of {len(view.labels):,} unclustered",
    ]
    if new_count:
        parts.append(f"{new_count:,} new pictures assigned")
    return " · ".join(parts)
