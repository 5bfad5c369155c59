"""The part of the page that answers at once: thresholds, map, selection, clusters."""

from __future__ import annotations

import math
import time

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.app import App
from core.clusters.curve import Curve
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
HEARD_WITHIN_S, HEARD_AT_LAST_S = 2.0, 60.0
TWINS = {"threshold": "exact", "exact": "threshold"}
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
    beside = thresholds(app, work, view, curve)
    with st.container():
        show_map(app, work, view)
    with beside:  # after the map, which people look at while they move the slider
        show_curve(app, work, curve, steady)
    with st.container():
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


def thresholds(app: App, work: Work, view: View, curve: Curve) -> DeltaGenerator:
    """The threshold by slider and by number, and the smallest cluster that counts; gives the place beside them."""
    left, right = st.columns([2, 3], gap="medium")
    with left:
        lowest = min(0.0, float(curve.similarity[-1])) if len(curve.similarity) else 0.0
        put("threshold", min(max(work.plan.threshold, lowest), 1.0))
        st.slider(
            "Threshold", lowest, 1.0, step=0.005, format="%.3f", key="threshold",
            on_change=set_threshold, args=(app, work.collection, "threshold"),
            help="Pictures come into one cluster while their average cosine similarity is at least this.",
        )  # fmt: skip
        with st.container(horizontal=True):
            put("exact", work.plan.threshold)
            st.number_input(
                "Exactly", -1.0, 1.0, step=0.001, format="%.6f", key="exact", width=160,
                on_change=set_threshold, args=(app, work.collection, "exact"),
            )  # fmt: skip
            put("smallest", min(work.plan.smallest, LARGEST))
            st.number_input(
                "Smallest cluster", 1, LARGEST, key="smallest", width=140, on_change=set_smallest,
                args=(app, work.collection),
                help="Smaller groups are shown as unclustered, unless someone named them.",
            )  # fmt: skip
        st.caption(summary(view))
    return right


def put(key: str, value: float) -> None:
    """Let a widget show a value. One that does already is left alone, or it would be set back while being moved."""
    now, shown = time.monotonic(), st.session_state.get(key, value)
    if shown != value:
        earlier = st.session_state.get(f"{key}_showed", {})
        recent = {old: at for old, at in earlier.items() if now - at < HEARD_AT_LAST_S}
        st.session_state[f"{key}_showed"] = recent | {shown: now}
    if shown != value or key not in st.session_state:
        st.session_state[key] = value
    st.session_state[f"{key}_shows"] = value


def moved(key: str) -> float | None:
    """Where a person moved a widget; None for what it only showed until a moment ago.

    A browser sends the states of all widgets with every request. One that has not heard yet that a widget was set
    would set it back, together with what it stands for. Where the widget that stands for the same has moved too, it
    was that one: nobody moves two at once.
    """
    value, twin = st.session_state[key], TWINS.get(key)
    both = twin is not None and st.session_state[twin] != st.session_state[f"{twin}_shows"]
    ago_s = time.monotonic() - st.session_state.get(f"{key}_showed", {}).get(value, -math.inf)
    return None if ago_s < (HEARD_AT_LAST_S if both else HEARD_WITHIN_S) else value


@undisturbed
def set_threshold(app: App, collection: str, key: str) -> None:
    value = moved(key)
    if value is not None:
        change(app, collection, SetThreshold(float(value)), coalesce=True)


@undisturbed
def set_smallest(app: App, collection: str) -> None:
    value = moved("smallest")
    if value is not None:
        change(app, collection, SetSmallest(int(value)), coalesce=True)


def summary(view: View) -> str:
    """One line: how many clusters, and what is in none."""
    alone = int((view.labels < 0).sum())
    newcomers = len(view.base.newcomers)
    parts = [f"{len(view.clusters):,} clusters", f"{alone:,} of {len(view.labels):,} pictures in none"]
    if newcomers:
        parts.append(f"{newcomers:,} new ones assigned")
    return " · ".join(parts)
