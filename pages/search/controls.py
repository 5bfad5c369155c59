"""The filters and sliders of a search."""

from __future__ import annotations

import streamlit as st

from core.errors import ContactSheetError
from core.records.assets import Filters
from core.records.created_time import CreatedTime
from core.search.filters import Counts, Facets, impossible_span, unknown_values
from core.text import listed
from pages.search.picture_query import chosen_picture
from pages.search.search_state import EQUAL_WEIGHT, SearchParams, minimum_similarity, period_of, requested_count
from pages.ui.format import escape_markdown, sentence

FILTER_KEYS = ("source", "keyword", "shape", "since", "until", "people", "place", "camera", "rating", "gps")
SLIDER_PX = 260


def search_controls(query: str, facets: Facets) -> SearchParams:
    """Filters, and sliders for the weight of the words and the minimum similarity where they apply."""
    like = st.query_params.get("like", "")
    uploaded = None if like else chosen_picture()
    by_picture = bool(like or uploaded)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.popover(filters_label(), icon=":material/tune:", key="filters"):
            filters, problems = filter_form(facets)
        weight = weight_slider() if query and by_picture else EQUAL_WEIGHT
        similarity = similarity_slider() if query or by_picture else 0.0
    for problem in problems:
        st.warning(escape_markdown(sentence(problem)), icon=":material/filter_alt_off:")
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
    # The first run of a link has its filters in the URL alone.
    used = sum(bool(st.session_state.get(key) or st.query_params.get_all(key)) for key in FILTER_KEYS)
    return f"Filters · {used}" if used else "Filters"


def filter_form(facets: Facets) -> tuple[Filters, list[str]]:
    """What the collection can be filtered by, each only where it has any; and what cannot be filtered by, in words."""
    problems = _unknown(facets)
    since, until = _period_inputs(facets, problems)
    chosen = {
        key: st.multiselect(label, [name for name, _ in counts], key=key, bind="query-params")
        for key, (label, counts) in _choices(facets).items()
        if counts
    }
    shapes = st.pills(
        "Shape", [o for o, _ in facets.orientations], selection_mode="multi", key="shape", bind="query-params"
    )
    rating = _rating_input() if facets.rated else None
    gps = _gps_input(facets)
    filters = Filters(
        sources=tuple(chosen.get("source", ())),
        keywords=tuple(chosen.get("keyword", ())),
        orientations=tuple(shapes),
        since=since,
        until=until,
        people=tuple(chosen.get("people", ())),
        places=tuple(chosen.get("place", ())),
        cameras=tuple(chosen.get("camera", ())),
        min_rating=rating,
        has_gps=gps,
    )
    if span := impossible_span(filters):
        problems.append(span)
    return filters, problems


def _choices(facets: Facets) -> dict[str, tuple[str, Counts]]:
    return {
        "source": ("Source", facets.sources),
        "keyword": ("Keyword", facets.keywords),
        "people": ("People", facets.people),
        "place": ("Place", facets.places),
        "camera": ("Camera", facets.cameras),
    }


def _period_inputs(facets: Facets, problems: list[str]) -> tuple[CreatedTime | None, CreatedTime | None]:
    if facets.earliest is None or facets.latest is None:
        return None, None
    hint = f"for example {facets.earliest:%Y}"
    with st.container(horizontal=True):
        since = st.text_input("Taken from", key="since", bind="query-params", placeholder=hint, max_chars=40)
        until = st.text_input("Taken until", key="until", bind="query-params", placeholder=hint, max_chars=40)
    st.caption("A year, a month or a day: 1998, September 1998, 1930s, 3.9.1998")
    return _period(since, problems), _period(until, problems)


def _period(text: str, problems: list[str]) -> CreatedTime | None:
    try:
        return period_of(text)
    except ContactSheetError as error:
        problems.append(str(error))
        return None


def _rating_input() -> int | None:
    rating = st.pills("Rating at least", ["1", "2", "3", "4", "5"], key="rating", bind="query-params")
    return int(rating) if rating else None


def _gps_input(facets: Facets) -> bool | None:
    if not 0 < facets.with_gps < facets.pictures:
        return None
    choice = st.pills("Coordinates", ["With", "Without"], key="gps", bind="query-params")
    return None if choice is None else choice == "With"


def _unknown(facets: Facets) -> list[str]:
    """What a link asks for and the collection does not have, or has no more."""
    sources, keywords = (tuple(st.query_params.get_all(name)) for name in ("source", "keyword"))
    unknown = unknown_values(facets, Filters(sources=sources, keywords=keywords))
    return [f"this collection has no {listed(unknown)}"] if unknown else []


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
