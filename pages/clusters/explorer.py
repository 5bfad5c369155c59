"""The part of the page that answers at once: thresholds, map, selection, clusters."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.clusters.edits import SetSmallest, SetThreshold
from core.clusters.view import View
from pages.clusters.border import border_pairs
from pages.clusters.changes import show_changes
from pages.clusters.curve import show_curve
from pages.clusters.drafts import draft_bar
from pages.clusters.history import show_history
from pages.clusters.list import cluster_list
from pages.clusters.map import show_map
from pages.clusters.one import open_cluster
from pages.clusters.work import NOTICE, Work, change, current_work
from pages.search.details import show_details
from pages.ui.text import plain
from pages.ui.undisturbed import undisturbed

LARGEST = 1_000_000
SECTIONS = ("Clusters", "What would change", "Border pairs", "History")


@st.fragment
def explorer(app: App, collection: str) -> None:
    """Runs again by itself for everything done in it; the page around it stays."""
    work = current_work(app, collection)
    view = app.clusters.view(collection, work.plan, work.parent_id)
    notice = st.session_state.pop(NOTICE, None)
    with st.container():  # always there: what stands below keeps its place, and a popover stays open
        if notice:
            st.warning(plain(notice), icon=":material/info:")
    draft_bar(app, work, view)
    leave_or_look(app, collection)
    thresholds(app, work, view)
    show_map(app, work, view)
    open_cluster(app, work, view)
    section = st.segmented_control(
        "Show", SECTIONS, key="section", default=SECTIONS[0], required=True, bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    if section == SECTIONS[0]:
        cluster_list(app, work, view)
    elif section == SECTIONS[1]:
        show_changes(app, work, view)
    elif section == SECTIONS[2]:
        border_pairs(app, work, view)
    else:
        show_history(app, work)


def leave_or_look(app: App, collection: str) -> None:
    """Details of a picture open here; pictures like it are a matter of the search."""
    like = st.query_params.pop("like", None)
    if like:
        st.switch_page("pages/search/page.py", query_params={"collection": collection, "like": like})
    if "photo" in st.query_params:
        show_details(app, collection, st.query_params["photo"])


def thresholds(app: App, work: Work, view: View) -> None:
    """The threshold by slider, by number and by a click on the curve; and the smallest cluster that counts."""
    curve, steady = app.clusters.curve(view.base, work.collection, work.plan.smallest)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        lowest = min(0.0, float(curve.similarity[-1])) if len(curve.similarity) else 0.0
        key = control("threshold", min(max(work.plan.threshold, lowest), 1.0))
        st.slider(
            "Threshold", lowest, 1.0, step=0.005, format="%.3f", key=key,
            on_change=set_threshold, args=(app, work.collection, key),
            help="Pictures come into one cluster while their average cosine similarity is at least this.",
        )  # fmt: skip
        with st.container(horizontal=True):
            key = control("exact", work.plan.threshold)
            st.number_input(
                "Exactly", -1.0, 1.0, step=0.001, format="%.6f", key=key, width=160,
                on_change=set_threshold, args=(app, work.collection, key),
            )  # fmt: skip
            key = control("smallest", min(work.plan.smallest, LARGEST))
            st.number_input(
                "Smallest cluster", 1, LARGEST, key=key, width=140, on_change=set_smallest,
                args=(app, work.collection, key),
                help="Smaller groups are shown as unclustered, unless someone named them.",
            )  # fmt: skip
        st.caption(summary(view))
    with right:
        show_curve(app, work, curve, steady)


def control(name: str, value: float) -> str:
    """The key of a widget that shows a value; one that does already is left alone, even while it is being moved.

    Where something else moved the value, the widget is made anew. A browser sends the states of all widgets with every
    request: one that has not heard yet that this one was moved would move it back.
    """
    made = st.session_state.setdefault(f"{name}_made", 0)
    if st.session_state.get(f"{name}_{made}", value) != value:
        made = st.session_state[f"{name}_made"] = made + 1
    st.session_state.setdefault(f"{name}_{made}", value)
    return f"{name}_{made}"


@undisturbed
def set_threshold(app: App, collection: str, key: str) -> None:
    change(app, collection, SetThreshold(float(st.session_state[key])), coalesce=True)


@undisturbed
def set_smallest(app: App, collection: str, key: str) -> None:
    change(app, collection, SetSmallest(int(st.session_state[key])), coalesce=True)


def summary(view: View) -> str:
    """One line: how many clusters, and what is in none."""
    alone = int((view.labels < 0).sum())
    newcomers = len(view.base.newcomers)
    parts = [f"{len(view.clusters):,} clusters", f"{alone:,} of {len(view.labels):,} pictures in none"]
    if newcomers:
        parts.append(f"{newcomers:,} new ones assigned")
    return " · ".join(parts)
