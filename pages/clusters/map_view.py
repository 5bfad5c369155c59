"""The map: all pictures in their clusters' colours, and beside it those that are selected on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.app import App
from core.atlas.colours import PersonalColours
from core.atlas.level_of_detail import Box
from core.atlas.service import Map
from core.clusters.views.cluster_view import ClusterView
from core.errors import TooManyTries
from core.records.searches import SearchOptions
from core.text import counted
from pages.clusters.cluster_detail import cluster_names
from pages.clusters.draft_state import DraftState
from pages.clusters.map_component import MapData, draw_map
from pages.clusters.map_figure import MapScene, map_figure
from pages.clusters.map_selection import MAP_KEY, current_selection, selected_boxes, show_selection
from pages.ui.error_line import showing_errors
from pages.ui.format import escape_markdown
from pages.ui.job_retry import retry_job_button
from pages.ui.person import person
from pages.ui.progress import show_progress
from pages.ui.streamlit_internals import uninterrupted

MAX_POINTS, MAX_MATCHES = 5_000, 30
MARGIN_SHARE = 0.25  # of the visible part, drawn on each side of it so that moving on shows points at once
VIEWPORT_KEY, MATCHES_KEY = "map_viewport", "map_matches"


@dataclass(frozen=True)
class MapViewport:
    """The part of the map that is shown: the whole of it, or a `box` that was zoomed into.

    Each zoom has a new `number`; `seen` is where the person has moved since.
    """

    number: int = 0
    box: Box | None = None
    seen: Box | None = None


def show_map(app: App, state: DraftState, view: ClusterView) -> None:
    """The map, and beside it the selected pictures."""
    atlas = app.atlas.map(state.collection)
    if len(atlas.asset_ids) != len(view.labels):
        return  # pictures were added just now; the next run has them
    show_fit_status(app, state, atlas)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        query = st.text_input(
            "Highlight matches",
            key="light",
            placeholder="Words highlight their matches on the map",
            label_visibility="collapsed",
            icon=":material/search:",
        )
        names = cluster_names(app, state, view)
        plot(atlas, view, names, matching_rows(app, state.collection, view, query))
    with right:
        show_selection(app, state, view, atlas, names)


def plot(atlas: Map, view: ClusterView, names: Sequence[str], highlighted: NDArray[np.int64]) -> None:
    """The map with no more points than a screen can show, and the buttons to zoom."""
    viewport: MapViewport = st.session_state.setdefault(VIEWPORT_KEY, MapViewport())
    levels = atlas.level_of_detail
    sample = levels.sample(with_margin(viewport.seen or viewport.box), MAX_POINTS)
    scene = MapScene(
        coordinates=atlas.coordinates,
        labels=view.labels,
        colours=cluster_colours(view),
        titles=view.base.snapshot.titles,
        names=names,
        medoids=view.statistics.representatives,
        highlighted=highlighted,
    )
    figure = map_figure(scene, sample, viewport.box or levels.whole)
    sampled = len(atlas.coordinates) > MAX_POINTS
    draw_map(MAP_KEY, MapData(view.base.snapshot.version, figure, sample.rows, sampled, viewport.number), on_map_moved)
    with st.container(horizontal=True, vertical_alignment="center"):
        zoom_buttons(viewport, selected_boxes(current_selection(view)))
        if sample.is_thinned:
            st.caption(
                f"{len(sample.rows):,} of {sample.inside_count:,} points are drawn; the shading shows all of them.",
                width="content",
            )


def zoom_buttons(viewport: MapViewport, boxes: Sequence[Box]) -> None:
    st.button(
        "Zoom into the box",
        key="zoom",
        icon=":material/zoom_in:",
        type="tertiary",
        disabled=not boxes,
        on_click=zoom_to,
        args=(boxes[0] if boxes else None,),
    )
    st.button(
        "Whole map",
        key="whole",
        icon=":material/zoom_out_map:",
        type="tertiary",
        disabled=viewport == MapViewport(viewport.number),
        on_click=zoom_to,
        args=(None,),
    )


def with_margin(box: Box | None) -> Box | None:
    """A box and its surroundings."""
    if box is None:
        return None
    x0, y0, x1, y1 = box
    dx, dy = MARGIN_SHARE * (x1 - x0), MARGIN_SHARE * (y1 - y0)
    return x0 - dx, y0 - dy, x1 + dx, y1 + dy


@uninterrupted
def on_map_moved() -> None:
    """Record where the person has moved or zoomed to in the browser."""
    message, viewport = st.session_state[MAP_KEY].get("seen"), st.session_state[VIEWPORT_KEY]
    if message and message["look"] == viewport.number:
        x0, y0, x1, y1 = message["box"]
        seen = (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
        st.session_state[VIEWPORT_KEY] = replace(viewport, seen=seen)


def zoom_to(box: Box | None) -> None:
    """Show a part of the map, or all of it."""
    st.session_state[VIEWPORT_KEY] = MapViewport(st.session_state[VIEWPORT_KEY].number + 1, box)


def show_fit_status(app: App, state: DraftState, atlas: Map) -> None:
    """Progress of the fit, or a suggestion to repeat it."""
    if atlas.provisional:
        app.atlas.refresh(state.collection, person().author)
        st.fragment(_show_fit_progress, run_every=1.0)(app, state.collection)
    elif atlas.refit_suggested:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                f"{counted(atlas.placed, 'picture')} placed beside their neighbours since the map was computed.",
                width="content",
            )
            if state.may_edit:
                st.button("Recompute map", key="refit", type="tertiary", on_click=refit, args=(app, state.collection))


@uninterrupted
def refit(app: App, collection: str) -> None:
    app.atlas.refit(person(), collection)


def _show_fit_progress(app: App, collection: str) -> None:
    with showing_errors():
        job = next((j for j in app.library.jobs(20) if j.kind == "map" and j.collection == collection), None)
        if job is not None and job.open:
            show_progress(st.empty(), job.progress, "A first sketch; the map is being computed. ")
        elif job is not None and job.state != "done":
            st.caption(f":material/error: The map could not be computed: {escape_markdown(job.message)}")
            retry_job_button(app, job)
        elif job is not None and not app.atlas.map(collection).provisional:
            st.rerun()


def cluster_colours(view: ClusterView) -> NDArray[np.uint8]:
    """A palette index for each cluster, which stays with its id for the whole session."""
    colours: PersonalColours = st.session_state.setdefault("colours", PersonalColours())
    return colours.palette_indices([cluster.id for cluster in view.clusters])


def matching_rows(app: App, collection: str, view: ClusterView, query: str) -> NDArray[np.int64]:
    """The rows of the pictures most similar to some words, cached until they change; none without words."""
    if not query.strip():
        return np.empty(0, np.int64)
    request = (collection, view.base.snapshot.version, query)
    cached = st.session_state.get(MATCHES_KEY)
    if cached is None or cached[0] != request:
        try:
            found = app.searches.by_text(person(), query, collection, SearchOptions(MAX_MATCHES)).result.hits
        except TooManyTries as error:
            st.caption(f":material/timer: {escape_markdown(str(error))}")
            return np.empty(0, np.int64)
        row_by_id = {asset_id: row for row, asset_id in enumerate(view.asset_ids)}
        rows = np.array([row_by_id[hit.asset.id] for hit in found if hit.asset.id in row_by_id], np.int64)
        st.session_state[MATCHES_KEY] = cached = (request, rows)
    return cached[1]
