"""All clusters: sorted, filtered, each with its picture and its figures."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np
import streamlit as st

from core.app import App
from core.clusters.curation import name_of
from core.clusters.views.view import BORDERLINE_MARGIN, ClusterView
from pages.clusters.draft_state import DraftState, again
from pages.ui.gallery import Card, cards

PAGE = 24
SORTS = ("Largest", "Smallest", "Loosest", "Most at the border", "Name")
ASK_FOR_BORDERS = ("Most at the border", "At the border")


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
        """`41 pictures · cohesion 0.86 · 3 at the border · next to Boats`."""
        parts = [f"{self.size:,} pictures", f"cohesion {self.cohesion:.2f}"]
        if self.borderline:
            parts.append(f"{self.borderline} at the border")
        if self.neighbour:
            parts.append(f"next to {self.neighbour}")
        if self.no_group:
            parts.append("no group")
        return " · ".join(parts)


def cluster_list(app: App, work: DraftState, view: ClusterView) -> None:
    """The clusters as cards; a click opens one."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input("Find a cluster", key="find_cluster", placeholder="by its name", width=260)
        order = st.selectbox("Order", SORTS, key="order_clusters", width=200)
        only = st.pills("Only", ["Named", "Not named", "At the border"], key="only_clusters")
    suggestions = app.clusters.suggestions(work.collection, view)
    names = [name_of(c, s) for c, s in zip(view.clusters, suggestions, strict=True)]
    found = arranged(rows_of(view, names, {order, only}), words or "", order, only)
    if not found:
        st.info("No cluster fits. Lower the threshold, or loosen the filters.", icon=":material/search_off:")
        return
    shown = int(st.session_state.get("clusters_shown", PAGE))
    rows = completed(view, found[:shown], names)
    hits = app.pictures(work.collection, [row.asset_id for row in rows])
    pictures = {hit.asset.id: hit.thumbnail for hit in hits}
    cards(
        [
            Card(row.id, row.name or "No name yet", row.caption, pictures.get(row.asset_id, b""), not row.confirmed)
            for row in rows
        ],
        "cluster_cards",
        open_one,
    )
    if len(found) > shown and st.button(f"Show more of {len(found):,}", icon=":material/expand_more:"):
        st.session_state["clusters_shown"] = shown + PAGE
        again()


def open_one(cluster_id: str) -> None:
    """The next run shows this cluster."""
    st.query_params["cluster"] = cluster_id
    for name in [name for name in st.session_state if str(name).startswith("picked")]:
        del st.session_state[name]


def rows_of(view: ClusterView, names: Sequence[str], asked: Set[str | None] = frozenset()) -> list[ClusterRow]:
    """A row per cluster that has pictures, without neighbours; borders are counted only where they are asked for."""
    measures, ids, clusters = view.measures, view.asset_ids, view.clusters
    numbers = view.sizes.nonzero()[0].tolist()
    borderline = view.borderline if asked & set(ASK_FOR_BORDERS) else np.zeros(len(clusters), np.int64)
    columns = (view.sizes, measures.cohesion, borderline, measures.representatives)
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


def completed(view: ClusterView, rows: Sequence[ClusterRow], names: Sequence[str]) -> list[ClusterRow]:
    """The rows to show, with what would take too long for all: the neighbour's name, and how many are at the border."""
    numbers = [row.number for row in rows]
    nearest = view.measures.neighbours(numbers)[0].tolist()
    borders = view.measures.borderline_counts(BORDERLINE_MARGIN, numbers).tolist()
    return [
        row._replace(neighbour=names[other] if other >= 0 else "", borderline=border)
        for row, other, border in zip(rows, nearest, borders, strict=True)
    ]


def arranged(rows: Sequence[ClusterRow], words: str, order: str, only: str | None) -> list[ClusterRow]:
    """The rows that fit, in the order wanted."""
    wanted = words.casefold().split()
    kept = [row for row in rows if all(word in row.name.casefold() for word in wanted)]
    if only == "Named":
        kept = [row for row in kept if row.confirmed]
    elif only == "Not named":
        kept = [row for row in kept if not row.confirmed]
    elif only == "At the border":
        kept = [row for row in kept if row.borderline]
    keys = {
        "Largest": lambda row: -row.size,
        "Smallest": lambda row: row.size,
        "Loosest": lambda row: row.cohesion,
        "Most at the border": lambda row: -row.borderline,
        "Name": lambda row: (not row.name, row.name.casefold()),
    }
    return sorted(kept, key=keys[order])
