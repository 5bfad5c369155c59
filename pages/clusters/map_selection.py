"""What is selected on the map by clicks, boxes and lassos, and what a curator can do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.app import App
from core.atlas.level_of_detail import Box
from core.atlas.selection import inside_box, inside_polygon
from core.atlas.service import Map
from core.clusters.edits.model import Move
from core.clusters.views.cluster_view import ClusterView
from core.errors import ClusterError
from core.text import counted
from pages.clusters.cluster_detail import cluster_options, cluster_ref
from pages.clusters.cluster_list import open_cluster
from pages.clusters.draft_state import DraftState, apply_edit, rerun_explorer
from pages.clusters.selection_download import show_selection_download
from pages.ui.format import escape_markdown
from pages.ui.gallery import GalleryActions, GalleryLayout, find_similar, gallery, open_picture
from pages.ui.person import person

MAP_KEY = "map"
MAX_PICTURES_SHOWN, MAX_CLUSTERS_LISTED = 24, 6
NEW_CLUSTER = ""  # no cluster has this id


def current_selection(view: ClusterView) -> dict[str, Any] | None:
    """What is selected on the map; None if nothing is, or if pictures were added or removed since."""
    selection = st.session_state[MAP_KEY].get("selection")
    return selection if selection and selection["version"] == view.base.snapshot.version else None


def selected_boxes(selection: Mapping[str, Any] | None) -> list[Box]:
    """The boxes of a selection, as (x0, y0, x1, y1)."""
    return [(min(b["x"]), min(b["y"]), max(b["x"]), max(b["y"])) for b in selection["box"]] if selection else []


def selected_rows(selection: Mapping[str, Any] | None, coordinates: NDArray[np.float32]) -> NDArray[np.int64]:
    """The rows of a selection: all points in its boxes and lassos, drawn or not; else the points clicked."""
    if not selection:
        return np.empty(0, np.int64)
    inside = np.zeros(len(coordinates), bool)
    for box in selected_boxes(selection):
        inside |= inside_box(coordinates, *box)
    for lasso in selection["lasso"]:
        try:
            inside |= inside_polygon(coordinates, list(zip(lasso["x"], lasso["y"], strict=True)))
        except ClusterError:
            continue  # a lasso of two points holds nothing
    if selection["box"] or selection["lasso"]:
        return np.flatnonzero(inside)
    return np.unique([row for row in selection["rows"] if 0 <= row < len(coordinates)]).astype(np.int64)


def show_selection(app: App, state: DraftState, view: ClusterView, atlas: Map, names: Sequence[str]) -> None:
    """The selected pictures, the clusters they are in, and a form to move them."""
    rows = selected_rows(current_selection(view), atlas.coordinates)
    if not len(rows):
        st.caption("Click a point, or draw a lasso or a box, to see its pictures here.")
        return
    ids = [view.asset_ids[row] for row in rows.tolist()]
    st.markdown(f"**{counted(len(ids), 'picture')}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        cluster_links(view, rows, names)
    if state.may_edit:
        with st.popover(f"Move {len(ids):,}", icon=":material/drive_file_move:", key="selection_move_popover"):
            move_selection_form(app, state, view, ids, names)
    if app.access.is_curator(person()):
        with st.popover("Download", icon=":material/download:", key="selection_download_popover"):
            show_selection_download(app, state.collection, ids)
    hits = app.pictures(state.collection, ids[:MAX_PICTURES_SHOWN])
    layout = GalleryLayout("small", show_similarity=False)
    gallery(state.collection, hits, "selection", GalleryActions(open_picture, find_similar), layout)
    if len(ids) > MAX_PICTURES_SHOWN:
        st.caption(f"The first {MAX_PICTURES_SHOWN} are shown.")


def cluster_links(view: ClusterView, rows: NDArray[np.int64], names: Sequence[str]) -> None:
    """A button for each of the clusters that most of these rows are in."""
    numbers, counts = np.unique(view.labels[rows], return_counts=True)
    by_count = sorted(zip(counts.tolist(), numbers.tolist(), strict=True), reverse=True)
    for count, number in by_count[:MAX_CLUSTERS_LISTED]:
        if number < 0:
            st.caption(f"unclustered · {count}", width="content")
            continue
        st.button(
            f"{escape_markdown(names[number])} · {count}",
            key=f"go_{number}",
            type="tertiary",
            on_click=open_cluster,
            args=(view.clusters[number].id,),
        )


def move_selection_form(
    app: App, state: DraftState, view: ClusterView, asset_ids: Sequence[str], names: Sequence[str]
) -> None:
    movable = tuple(sorted(set(asset_ids) & set(view.partition.asset_ids)))
    options = {NEW_CLUSTER: "a new cluster", **cluster_options(view, np.flatnonzero(view.sizes).tolist(), names)}
    target = st.selectbox("Move them to", list(options), key="move_selection_to", format_func=options.__getitem__)
    if st.button("Move", key="move_selection", disabled=not movable):
        apply_edit(app, state.collection, Move(movable, None if target == NEW_CLUSTER else cluster_ref(view, target)))
        rerun_explorer()
