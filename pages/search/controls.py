"""The filters and sliders of a search."""

from __future__ import annotations

from datetime import date

import streamlit as st

from core.records.assets import Filters
from core.search.filters import Facets
from pages.search.picture_query import chosen_picture
from pages.search.search_state import EQUAL_WEIGHT, SearchParams, build_filters, minimum_similarity, requested_count

FILTER_KEYS = ("source", "keyword", "shape", "since", "until")
SLIDER_PX = 260


def search_controls(query: str, facets: Facets) -> SearchParams:
    """Filters, and sliders for the weight of the words and the minimum similarity where they apply."""
    like = st.query_params.get("like", "")
    uploaded = None if like else chosen_picture()
    by_picture = bool(like or uploaded)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.popover(filters_label(), icon=":material/tune:", key="filters"):
            filters = filter_form(facets)
        weight = weight_slider() if query and by_picture else EQUAL_WEIGHT
        similarity = similarity_slider() if query or by_picture else 0.0
    return SearchParams(
        query=query,
        like=like,
        filters=filters,
        min_similarity=minimum_similarity(similarity),
        top=requested_count(st.query_params),
        picture=uploaded.picture.id if uploaded else "",
        weight=weight,
    )


def filters_label() -> str:
    """`Filters`, with the number of those in use."""
    used = sum(bool(st.session_state.get(key)) for key in FILTER_KEYS)
    return f"Filters · {used}" if used else "Filters"


def filter_form(facets: Facets) -> Filters:
    sources = st.multiselect("Source", [s for s, _ in facets.sources], key="source", bind="query-params")
    keywords = st.multiselect("Keyword", [k for k, _ in facets.keywords], key="keyword", bind="query-params")
    shapes = st.pills(
        "Shape", [o for o, _ in facets.orientations], selection_mode="multi", key="shape", bind="query-params"
    )
    since: date | None = None
    until: date | None = None
    if facets.earliest and facets.latest:
        first, last = facets.earliest.date(), facets.latest.date()
        since = st.date_input("Taken from", None, first, last, key="since", bind="query-params")
        until = st.date_input("Taken until", None, first, last, key="until", bind="query-params")
    return build_filters(sources, keywords, shapes, since, until)


def weight_slider() -> float:
    return st.slider(
        "Weight of the words",
        0.0,
        1.0,
        EQUAL_WEIGHT,
        0.05,
        key="weight",
        bind="query-params",
        width=SLIDER_PX,
        format="percent",
        help="On the far left only the picture counts, on the far right only the words.",
    )


def similarity_slider() -> float:
    return st.slider(
        "Minimum similarity",
        0.0,
        1.0,
        0.0,
        0.01,
        key="floor",
        bind="query-params",
        width=SLIDER_PX,
        help="Cosine similarity between the query and a picture. On the far left every picture is shown.",
    )
