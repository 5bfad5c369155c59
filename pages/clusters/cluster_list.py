"""All clusters: sorted, filtered, each with its picture and its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from core.app import App
from core.clusters.curation import cluster_name
from core.clusters.views.cluster_view import BORDERLINE_MARGIN, ClusterView
from core.text import counted
from pages.clusters.draft_state import DraftState, rerun_explorer
from pages.ui.gallery import GalleryCard, cards

PAGE_SIZE = 24


class ClusterRow(NamedTuple):
    """What the list shows of one cluster; a tuple, because every move of a slider makes thousands of them."""

    number: int
    id: str
    name: str
    confirmed: bool
    no_group: bool
    size: int
    cohesion: float
    borderline: int
    neighbour: str
    asset_id: str

    @property
    def caption(self) -> str:
        """`41 pictures · cohesion 0.86 · 3 borderline · nearest: Boats`."""
        parts = [f"{counted(self.size, 'picture')}", f"cohesion {self.cohesion:.2f}"]
        if self.borderline:
            parts.append(f"{self.borderline} borderline")
        if self.neighbour:
            parts.append(f"nearest: {self.neighbour}")
        if self.no_group:
            parts.append("not a group")
        return " · ".join(parts)


SORT_KEYS: Mapping[str, Callable[[ClusterRow], Any]] = {
    "Largest": lambda row: -row.size,
    "Smallest": lambda row: row.size,
    "Loosest": lambda row: row.cohesion,
    "Most borderline": lambda row: -row.borderline,
    "Name": lambda row: (not row.name, row.name.casefold()),
}
FILTERS: Mapping[str, Callable[[ClusterRow], bool]] = {
    "Named": lambda row: row.confirmed,
    "Not named": lambda row: not row.confirmed,
    "Borderline": lambda row: row.borderline > 0,
}
BORDERLINE_OPTIONS = {"Most borderline", "Borderline"}


def show_clusters(app: App, state: DraftState, view: ClusterView) -> None:
    """The clusters as cards; a click opens one."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input("Find a cluster", key="find_cluster", placeholder="by its name", width=260)
        order = st.selectbox("Order", list(SORT_KEYS), key="order_clusters", width=200)
        only = st.pills("Only", list(FILTERS), key="only_clusters")
    suggestions = app.clusters.name_suggestions(state.collection, view)
    names = [cluster_name(c, s) for c, s in zip(view.clusters, suggestions, strict=True)]
    found = filter_and_sort(cluster_rows(view, names, {order, only}), words or "", order, only)
    if not found:
        st.info("No cluster matches. Change the name, the filter or the threshold.", icon=":material/search_off:")
        return
    shown = int(st.session_state.get("clusters_shown", PAGE_SIZE))
    rows = with_neighbours(view, found[:shown], names)
    cards(
        state.collection,
        [GalleryCard(row.id, row.name or "No name yet", row.caption, row.asset_id, not row.confirmed) for row in rows],
        "cluster_cards",
        open_cluster,
    )
    if len(found) > shown and st.button(f"Show more of {len(found):,}", icon=":material/expand_more:"):
        st.session_state["clusters_shown"] = shown + PAGE_SIZE
        rerun_explorer()


def open_cluster(cluster_id: str) -> None:
    """The next run shows this cluster."""
    st.query_params["cluster"] = cluster_id
    st.session_state.pop("picked", None)


def cluster_rows(view: ClusterView, names: Sequence[str], options: Set[str | None] = frozenset()) -> list[ClusterRow]:
    """A row per cluster that has pictures, without neighbours; borderline pictures are counted only if an option of the
    list needs them."""
    statistics, ids, clusters = view.statistics, view.asset_ids, view.clusters
    numbers = view.sizes.nonzero()[0].tolist()
    borderline = view.borderline if options & BORDERLINE_OPTIONS else np.zeros(len(clusters), np.int64)
    columns = (view.sizes, statistics.cohesion, borderline, statistics.representatives)
    figures = zip(*(column[numbers].tolist() for column in columns), strict=True)
    return [
        ClusterRow(
            number,
            (cluster := clusters[number]).id,
            names[number],
            cluster.confirmed,
            cluster.no_group,
            size,
            cohesion,
            border,
            "",
            ids[representative],
        )
        for number, (size, cohesion, border, representative) in zip(numbers, figures, strict=True)
    ]


def with_neighbours(view: ClusterView, rows: Sequence[ClusterRow], names: Sequence[str]) -> list[ClusterRow]:
    """The rows to show, with what would take too long for all: the neighbour's name and the borderline count."""
    numbers = [row.number for row in rows]
    nearest = view.statistics.neighbours(numbers)[0].tolist()
    borders = view.statistics.borderline_counts(BORDERLINE_MARGIN, numbers).tolist()
    return [
        row._replace(neighbour=names[other] if other >= 0 else "", borderline=border)
        for row, other, border in zip(rows, nearest, borders, strict=True)
    ]


def filter_and_sort(rows: Sequence[ClusterRow], words: str, order: str, only: str | None) -> list[ClusterRow]:
    """The rows whose names contain all the words, sorted by one of SORT_KEYS and filtered by one of FILTERS."""
    terms = words.casefold().split()
    found = [row for row in rows if all(term in row.name.casefold() for term in terms)]
    if only:
        found = [row for row in found if FILTERS[only](row)]
    return sorted(found, key=SORT_KEYS[order])
