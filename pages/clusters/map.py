"""The map: where pictures lie, in their clusters' colours; a click, a box or a lasso shows them beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.app import App
from core.atlas.colours import KeptColours
from core.atlas.desk import Map
from core.atlas.select import inside_box, inside_polygon
from core.clusters.edits import Move
from core.clusters.view import View
from core.errors import ClusterError
from pages.clusters.list import open_one
from pages.clusters.map_figure import Drawn, figure
from pages.clusters.one import choices, names_of, ref_of
from pages.clusters.pictures import show_pictures
from pages.clusters.work import Work, again, change
from pages.ui.person import person
from pages.ui.progress import show_progress
from pages.ui.text import plain
from pages.ui.undisturbed import undisturbed

POINTS, SELECTED_SHOWN, MATCHES = 5_000, 24, 30
NEW = ""  # no cluster has this id


def show_map(app: App, work: Work, view: View) -> None:
    """The map, and beside it what is selected on it."""
    atlas = app.atlas.map(work.collection)
    if len(atlas.asset_ids) != len(view.labels):
        return  # pictures came in this very moment; the next run has them
    state_of_map(app, work, atlas)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        query = st.text_input("Light up", key="light", placeholder="Words light up their matches on the map",
                              label_visibility="collapsed", icon=":material/search:")  # fmt: skip
        box = st.session_state.get("viewport")
        detail = atlas.levels.sample(box, POINTS)
        drawn = Drawn(
            atlas.coordinates, view.labels, colours_of(view), view.base.snapshot.titles, names_of(app, work, view),
            view.measures.representatives, matches(app, work.collection, view, query),
        )  # fmt: skip
        st.plotly_chart(figure(drawn, detail), key="map", on_select="rerun", selection_mode=("points", "box", "lasso"),
                        config={"displaylogo": False, "scrollZoom": True})  # fmt: skip
        zoom(box, detail.thinned, detail.inside)
    with right:
        selection(app, work, view, atlas, detail.rows)


def state_of_map(app: App, work: Work, atlas: Map) -> None:
    """Whether the map is being fitted, or should be."""
    if atlas.provisional:
        app.atlas.refresh(work.collection, person().author)
        st.fragment(_fitting, run_every=1.0)(app, work.collection)
    elif atlas.refit_suggested:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{atlas.placed:,} pictures were placed beside their neighbours since the map was made.",
                       width="content")  # fmt: skip
            if work.curator:
                st.button("Make it again", key="refit", type="tertiary", on_click=make_again,
                          args=(app, work.collection))  # fmt: skip


@undisturbed
def make_again(app: App, collection: str) -> None:
    app.atlas.refresh(collection, person().author, again=True)


def _fitting(app: App, collection: str) -> None:
    job = next((j for j in app.library.jobs(20) if j.kind == "map" and j.collection == collection), None)
    if job is not None and job.open:
        show_progress(st.empty(), job.progress, "A first sketch; the map is being made. ")
    elif job is not None and job.state != "done":
        st.caption(f":material/error: The map could not be made: {plain(job.message)}")
    elif job is not None and not app.atlas.map(collection).provisional:
        st.rerun()


def colours_of(view: View) -> NDArray[np.uint8]:
    """A colour of the palette for each cluster, which stays with its id as long as this person looks."""
    kept: KeptColours = st.session_state.setdefault("colours", KeptColours())
    return kept.numbers([cluster.id for cluster in view.clusters])


def matches(app: App, collection: str, view: View, query: str) -> NDArray[np.int64]:
    """The rows of the pictures most similar to some words; none without words."""
    if not query.strip():
        return np.empty(0, np.int64)
    hits = app.search(query, collection, MATCHES).result.hits
    row_of = {asset_id: row for row, asset_id in enumerate(view.asset_ids)}
    return np.array([row_of[hit.asset.id] for hit in hits if hit.asset.id in row_of], np.int64)


def zoom(box: tuple[float, float, float, float] | None, thinned: bool, inside: int) -> None:
    """A selected box can be looked at closer: its points are drawn anew, all of them where there is room."""
    chosen = _boxes(st.session_state.get("map"))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Zoom into the box", key="zoom", icon=":material/zoom_in:", type="tertiary", disabled=not chosen,
                  on_click=look_at, args=(chosen[0] if chosen else None,))  # fmt: skip
        st.button("Whole map", key="whole", icon=":material/zoom_out_map:", type="tertiary", disabled=box is None,
                  on_click=look_at, args=(None,))  # fmt: skip
        if thinned:
            st.caption(f"{POINTS:,} of {inside:,} points are drawn; the shade is all of them.", width="content")


def look_at(box: tuple[float, float, float, float] | None) -> None:
    st.session_state["viewport"] = box


def _boxes(state: Any) -> list[tuple[float, float, float, float]]:
    boxes = state["selection"]["box"] if state else []
    return [_corners(box) for box in boxes]


def _corners(box: Any) -> tuple[float, float, float, float]:
    return min(box["x"]), min(box["y"]), max(box["x"]), max(box["y"])


def selected_rows(state: Any, coordinates: NDArray[np.float32], drawn: NDArray[np.int32]) -> NDArray[np.int64]:
    """The rows that a selection means: all in a box or lasso, drawn or not; otherwise the points clicked."""
    if not state:
        return np.empty(0, np.int64)
    chosen = state["selection"]
    inside = np.zeros(len(coordinates), bool)
    for box in chosen["box"]:
        inside |= inside_box(coordinates, *_corners(box))
    for lasso in chosen["lasso"]:
        try:
            inside |= inside_polygon(coordinates, list(zip(lasso["x"], lasso["y"], strict=True)))
        except ClusterError:
            continue  # a lasso of two points holds nothing
    if chosen["box"] or chosen["lasso"]:
        return np.flatnonzero(inside)
    points = [p["point_index"] for p in chosen["points"] if "point_index" in p]
    return np.unique(drawn[[p for p in points if p < len(drawn)]].astype(np.int64))


def selection(app: App, work: Work, view: View, atlas: Map, drawn: NDArray[np.int32]) -> None:
    """The pictures that are selected on the map, and what a curator can do with them."""
    rows = selected_rows(st.session_state.get("map"), atlas.coordinates, drawn)
    if not len(rows):
        st.caption("Click a point, or draw a lasso or a box, to see its pictures here.")
        return
    names = names_of(app, work, view)
    found, counts = np.unique(view.labels[rows], return_counts=True)
    by_size = sorted(zip(counts.tolist(), found.tolist(), strict=True), reverse=True)
    st.markdown(f"**{len(rows):,} picture{'' if len(rows) == 1 else 's'}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        for count, number in by_size[:6]:
            if number >= 0:
                st.button(f"{plain(names[number])} · {count}", key=f"go_{number}", type="tertiary",
                          on_click=open_one, args=(view.clusters[number].id,))  # fmt: skip
            else:
                st.caption(f"unclustered · {count}", width="content")
    ids = [view.asset_ids[row] for row in rows.tolist()]
    if work.curator:
        with st.popover(f"Move {len(ids):,}", icon=":material/drive_file_move:"):
            known = set(view.partition.asset_ids)
            movable = tuple(sorted(i for i in ids if i in known))
            others = {NEW: "a new cluster", **choices(view, np.flatnonzero(view.sizes).tolist(), names)}
            to = st.selectbox("Move them to", list(others), key="move_selection_to", format_func=others.__getitem__)
            if st.button("Move", key="move_selection", disabled=not movable):
                change(app, work.collection, Move(movable, None if to == NEW else ref_of(view, to)))
                again()
    show_pictures(app, work.collection, ids[:SELECTED_SHOWN], "selection", size="small")
    if len(ids) > SELECTED_SHOWN:
        st.caption(f"The first {SELECTED_SHOWN} are shown.")
