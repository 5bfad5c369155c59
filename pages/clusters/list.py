"""All clusters: sorted, filtered, each with its picture and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.app import App
from core.clusters.curators import name_of
from core.clusters.naming import Suggestion
from core.clusters.view import View
from pages.clusters.work import Work, again
from pages.ui.gallery import Card, cards

PAGE = 24
SORTS = ("Largest", "Smallest", "Loosest", "Most at the border", "Name")


@dataclass(frozen=True)
class Row:
    """What the list shows of one cluster."""

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


def cluster_list(app: App, work: Work, view: View) -> None:
    """The clusters as cards; a click opens one."""
    rows = rows_of(view, app.clusters.suggestions(work.collection, view))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input("Find a cluster", key="find_cluster", placeholder="by its name", width=260)
        order = st.selectbox("Order", SORTS, key="order_clusters", width=200)
        only = st.pills("Only", ["Named", "Not named", "At the border"], key="only_clusters")
    found = arranged(rows, words or "", order, only)
    if not found:
        st.info("No cluster fits. Lower the threshold, or loosen the filters.", icon=":material/search_off:")
        return
    shown = int(st.session_state.get("clusters_shown", PAGE))
    hits = app.pictures(work.collection, [row.asset_id for row in found[:shown]])
    pictures = {hit.asset.id: hit.thumbnail for hit in hits}
    cards([Card(row.id, row.name or "No name yet", row.caption, pictures.get(row.asset_id, b""), not row.confirmed)
           for row in found[:shown]], "cluster_cards", open_one)  # fmt: skip
    if len(found) > shown and st.button(f"Show more of {len(found):,}", icon=":material/expand_more:"):
        st.session_state["clusters_shown"] = shown + PAGE
        again()


def open_one(cluster_id: str) -> None:
    """The next run shows this cluster."""
    st.query_params["cluster"] = cluster_id
    for name in [name for name in st.session_state if str(name).startswith("picked")]:
        del st.session_state[name]


def rows_of(view: View, suggestions: Sequence[Suggestion | None]) -> list[Row]:
    """A row per cluster that has pictures."""
    neighbours = view.measures.neighbours[0]
    names = [name_of(c, s) for c, s in zip(view.clusters, suggestions, strict=True)]
    return [
        Row(
            number, cluster.id, names[number], cluster.confirmed, cluster.no_group, int(view.sizes[number]),
            float(view.measures.cohesion[number]), int(view.borderline[number]),
            names[neighbours[number]] if neighbours[number] >= 0 else "",
            view.asset_ids[int(view.measures.representatives[number])],
        )
        for number, cluster in enumerate(view.clusters) if view.sizes[number]
    ]  # fmt: skip


def arranged(rows: Sequence[Row], words: str, order: str, only: str | None) -> list[Row]:
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
        "Largest": lambda row: -row.size, "Smallest": lambda row: row.size, "Loosest": lambda row: row.cohesion,
        "Most at the border": lambda row: -row.borderline, "Name": lambda row: (not row.name, row.name.casefold()),
    }  # fmt: skip
    return sorted(kept, key=keys[order])
