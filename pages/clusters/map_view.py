"""The map: where pictures lie, in their clusters' colours; a click, a box or a lasso shows them beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.app import App
from core.atlas.colours import PersonalColours
from core.atlas.level_of_detail import Box
from core.atlas.selection import inside_box, inside_polygon
from core.atlas.service import Map
from core.clusters.edits.model import Move
from core.clusters.views.view import ClusterView
from core.errors import ClusterError
from pages.clusters.asset_grid import show_pictures
from pages.clusters.cluster_detail import choices, names_of, ref_of
from pages.clusters.cluster_list import open_one
from pages.clusters.draft_state import DraftState, again, change
from pages.clusters.map_component import map_board
from pages.clusters.map_figure import Drawn, figure
from pages.ui.format import plain
from pages.ui.person import person
from pages.ui.progress import show_progress
from pages.ui.streamlit_internals import uninterrupted

POINTS, SELECTED_SHOWN, MATCHES = 5_000, 24, 30
AROUND = 0.25  # of what is looked at is drawn on each side of it, for those who go on
NEW = ""  # no cluster has this id
BOARD = "map"


@dataclass(frozen=True)
class MapViewport:
    """The part of the map that is shown: all of it, or a box that someone asked for, whose `number` is new then;
    `seen` is where they have moved since."""

    number: int = 0
    box: Box | None = None
    seen: Box | None = None


def show_map(app: App, work: DraftState, view: ClusterView) -> None:
    """The map, and beside it what is selected on it."""
    atlas = app.atlas.map(work.collection)
    if len(atlas.asset_ids) != len(view.labels):
        return  # pictures came in this very moment; the next run has them
    state_of_map(app, work, atlas)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        query = st.text_input(
            "Light up",
            key="light",
            placeholder="Words light up their matches on the map",
            label_visibility="collapsed",
            icon=":material/search:",
        )
        names = names_of(app, work, view)
        draw(atlas, view, names, lit_up(app, work.collection, view, query))
    with right:
        selection(app, work, view, atlas, names)


def draw(atlas: Map, view: ClusterView, names: Sequence[str], lit: NDArray[np.int64]) -> None:
    """The map with no more points than a screen can show, and the buttons to look closer."""
    look: MapViewport = st.session_state.setdefault("look", MapViewport())
    whole = atlas.levels.whole
    detail = atlas.levels.sample(around(look.seen or look.box), POINTS)
    drawn = Drawn(
        atlas.coordinates,
        view.labels,
        colours_of(view),
        view.base.snapshot.titles,
        names,
        view.measures.representatives,
        lit,
    )
    map_board(
        BOARD,
        view.base.snapshot.version,
        figure(drawn, detail, look.box or whole),
        detail.rows,
        partly=len(atlas.coordinates) > POINTS,
        look=look.number,
        on_select=lambda: None,
        on_see=moved,
    )
    boxes = boxes_of(selected(view))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Zoom into the box",
            key="zoom",
            icon=":material/zoom_in:",
            type="tertiary",
            disabled=not boxes,
            on_click=look_at,
            args=(boxes[0] if boxes else None,),
        )
        st.button(
            "Whole map",
            key="whole",
            icon=":material/zoom_out_map:",
            type="tertiary",
            disabled=look == MapViewport(look.number),
            on_click=look_at,
            args=(None,),
        )
        if detail.thinned:
            st.caption(
                f"{len(detail.rows):,} of {detail.inside:,} points are drawn; the shade is all of them.",
                width="content",
            )


def around(box: Box | None) -> Box | None:
    """A box with what lies next to it."""
    if box is None:
        return None
    x0, y0, x1, y1 = box
    dx, dy = AROUND * (x1 - x0), AROUND * (y1 - y0)
    return x0 - dx, y0 - dy, x1 + dx, y1 + dy


@uninterrupted
def moved() -> None:
    """Someone has moved or zoomed the map in their browser."""
    said, look = st.session_state[BOARD].get("seen"), st.session_state["look"]
    if said and said["look"] == look.number:
        x0, y0, x1, y1 = said["box"]
        st.session_state["look"] = replace(look, seen=(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None)


def look_at(box: Box | None) -> None:
    """Show a part of the map, or all of it."""
    st.session_state["look"] = MapViewport(st.session_state["look"].number + 1, box)


def state_of_map(app: App, work: DraftState, atlas: Map) -> None:
    """Whether the map is being fitted, or should be."""
    if atlas.provisional:
        app.atlas.refresh(work.collection, person().author)
        st.fragment(_fitting, run_every=1.0)(app, work.collection)
    elif atlas.refit_suggested:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                f"{atlas.placed:,} pictures were placed beside their neighbours since the map was made.",
                width="content",
            )
            if work.curator:
                st.button(
                    "Make it again", key="refit", type="tertiary", on_click=make_again, args=(app, work.collection)
                )


@uninterrupted
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


def colours_of(view: ClusterView) -> NDArray[np.uint8]:
    """A colour of the palette for each cluster, which stays with its id as long as this person looks."""
    kept: PersonalColours = st.session_state.setdefault("colours", PersonalColours())
    return kept.numbers([cluster.id for cluster in view.clusters])


def lit_up(app: App, collection: str, view: ClusterView, query: str) -> NDArray[np.int64]:
    """The rows of the pictures most similar to some words; none without words. Words are looked up once."""
    if not query.strip():
        return np.empty(0, np.int64)
    asked = (collection, view.base.snapshot.version, query)
    kept = st.session_state.get("lit")
    if kept is None or kept[0] != asked:
        hits = app.search(query, collection, MATCHES).result.hits
        row_of = {asset_id: row for row, asset_id in enumerate(view.asset_ids)}
        rows = np.array([row_of[hit.asset.id] for hit in hits if hit.asset.id in row_of], np.int64)
        st.session_state["lit"] = kept = (asked, rows)
    return kept[1]


def selected(view: ClusterView) -> dict[str, Any] | None:
    """What is selected on the map; None where nothing is, or where it was selected before pictures came or went."""
    said = st.session_state[BOARD].get("selection")
    return said if said and said["version"] == view.base.snapshot.version else None


def boxes_of(chosen: Mapping[str, Any] | None) -> list[Box]:
    """The boxes of a selection."""
    return [(min(b["x"]), min(b["y"]), max(b["x"]), max(b["y"])) for b in chosen["box"]] if chosen else []


def selected_rows(chosen: Mapping[str, Any] | None, coordinates: NDArray[np.float32]) -> NDArray[np.int64]:
    """The rows that a selection means: all in a box or lasso, drawn or not; otherwise the points clicked."""
    if not chosen:
        return np.empty(0, np.int64)
    inside = np.zeros(len(coordinates), bool)
    for box in boxes_of(chosen):
        inside |= inside_box(coordinates, *box)
    for lasso in chosen["lasso"]:
        try:
            inside |= inside_polygon(coordinates, list(zip(lasso["x"], lasso["y"], strict=True)))
        except ClusterError:
            continue  # a lasso of two points holds nothing
    if chosen["box"] or chosen["lasso"]:
        return np.flatnonzero(inside)
    return np.unique([row for row in chosen["rows"] if 0 <= row < len(coordinates)]).astype(np.int64)


def selection(app: App, work: DraftState, view: ClusterView, atlas: Map, names: Sequence[str]) -> None:
    """The pictures that are selected on the map, and what a curator can do with them."""
    rows = selected_rows(selected(view), atlas.coordinates)
    if not len(rows):
        st.caption("Click a point, or draw a lasso or a box, to see its pictures here.")
        return
    found, counts = np.unique(view.labels[rows], return_counts=True)
    by_size = sorted(zip(counts.tolist(), found.tolist(), strict=True), reverse=True)
    st.markdown(f"**{len(rows):,} picture{'' if len(rows) == 1 else 's'}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        for count, number in by_size[:6]:
            if number >= 0:
                st.button(
                    f"{plain(names[number])} · {count}",
                    key=f"go_{number}",
                    type="tertiary",
                    on_click=open_one,
                    args=(view.clusters[number].id,),
                )
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
