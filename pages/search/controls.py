"""The filters and sliders of a search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.errors import ContactSheetError
from core.records.assets import Filters
from core.records.created_time import CreatedTime
from core.records.searches import SearchBy
from core.search.filters import Facets, impossible_span
from pages.search.actions import AS_TYPED
from pages.search.cut import by_control
from pages.search.link_filters import (
    as_collection_writes,
    filter_choices,
    filter_values,
    known_values,
    not_in_collection,
)
from pages.search.picture_query import chosen_picture
from pages.search.search_state import (
    EQUAL_WEIGHT,
    SearchParams,
    minimum_similarity,
    period_of,
    requested_count,
)
from pages.ui.format import escape_markdown, sentence
from pages.ui.streamlit_internals import values_in_link

LABELS = {"source": "Source", "keyword": "Keyword", "people": "People", "place": "Place", "camera": "Camera"}
FILTER_KEYS = (*LABELS, "shape", "since", "until", "rating", "gps")
EMPTY_FIELDS: Mapping[str, object] = {
    **{key: [] for key in (*LABELS, "shape")},
    "since": "",
    "until": "",
    "rating": None,
    "gps": None,
    "by": "both",
    "floor": 0.0,
    "weight": EQUAL_WEIGHT,
}


@dataclass(frozen=True)
class Controls:
    """A search as its widgets have it, and the places of what its result says: the line that they are on, and below
    the minimum similarity; None while that is closed.
    """

    params: SearchParams
    line: DeltaGenerator
    spread: DeltaGenerator | None


def search_controls(query: str, facets: Facets) -> Controls:
    """Filters, and sliders for the weight of the words and the minimum similarity where they apply, on one line."""
    like = st.query_params.get("like", "")
    uploaded = None if like else chosen_picture()
    by_picture = bool(like or uploaded)
    problems = read_link(facets)
    line = st.container(horizontal=True, vertical_alignment="center")
    with line:
        with st.popover(filters_label(), icon=":material/tune:", key="filters"):
            filters = filter_form(facets, problems)
        weight, similarity = EQUAL_WEIGHT, 0.0
        by: SearchBy = "both"
        spread: DeltaGenerator | None = None
        if query or by_picture:
            # Its label stays: under another one it would be another popover, and closed.
            cut = st.popover("Similarity", icon=":material/content_cut:", key="cut", on_change="rerun")
            with cut:
                if query:
                    by = by_control()
                similarity = similarity_slider()
                spread = st.container() if cut.open else None
                weight = weight_slider() if query and by_picture else EQUAL_WEIGHT
            if similarity > 0:
                st.caption(f"at least {similarity:.2f}", width="content")
    for problem in problems:
        st.warning(escape_markdown(sentence(problem)), icon=":material/filter_alt_off:")
    params = SearchParams(
        query=query,
        like=like,
        filters=filters,
        min_similarity=minimum_similarity(similarity),
        top=requested_count(st.query_params),
        picture=uploaded.picture.id if uploaded else "",
        weight=weight,
        by=by,
        as_typed=AS_TYPED in st.query_params,
    )
    return Controls(params, line, spread)


def field_values() -> dict[str, object]:
    """What all filters and sliders hold."""
    return {key: st.session_state.get(key) for key in EMPTY_FIELDS}


def restore_fields(values: Mapping[str, object]) -> None:
    """Give the filters and sliders what they once held; for callbacks."""
    for key, empty in EMPTY_FIELDS.items():
        value = values.get(key)
        st.session_state[key] = empty if value is None else value


def read_link(facets: Facets) -> list[str]:
    """Keep the filters of the URL that the collection has, as it writes them; say which ones it does not have."""
    asked = {key: values_in_link(key) for key in FILTER_KEYS}
    if respelled := as_collection_writes(asked, facets):
        for key, values in respelled.items():
            write_filter(key, values)
        st.rerun()  # fields take their values from the URL that a run begins with
    for key, values in known_values(asked, facets).items():
        if values != asked[key]:
            write_filter(key, values)
    return not_in_collection(asked, facets)


def write_filter(key: str, values: Sequence[str]) -> None:
    """Change a filter before it is drawn: in the URL, or in the session once its field has taken over from there."""
    if key not in st.session_state:
        st.query_params[key] = values
    elif key in ("rating", "gps"):
        st.session_state[key] = values[0] if values else None
    else:
        st.session_state[key] = list(values)


def filters_label() -> str:
    """`Filters`, with the number of those in use."""
    used = sum(any(values_in_link(key)) for key in FILTER_KEYS)
    return f"Filters · {used}" if used else "Filters"


def filter_form(facets: Facets, problems: list[str]) -> Filters:
    """What the collection can be filtered by, each only where it has any; what is no filter is added to `problems`."""
    since, until = _period_inputs(facets, problems)
    chosen = {
        key: st.multiselect(LABELS[key], [name for name, _ in counts], key=key, bind="query-params", placeholder="Any")
        for key, counts in filter_values(facets).items()
        if counts
    }
    choices = filter_choices(facets)
    shapes = st.pills(
        "Shape", [shape for shape, _ in facets.orientations], selection_mode="multi", key="shape", bind="query-params"
    )
    rating = _pill("Rating at least", "rating", choices["rating"])
    gps = _pill("Coordinates", "gps", choices["gps"])
    filters = Filters(
        sources=tuple(chosen.get("source", ())),
        keywords=tuple(chosen.get("keyword", ())),
        orientations=tuple(shapes),
        since=since,
        until=until,
        people=tuple(chosen.get("people", ())),
        places=tuple(chosen.get("place", ())),
        cameras=tuple(chosen.get("camera", ())),
        min_rating=int(rating) if rating else None,
        has_gps=gps == "With" if gps else None,
    )
    if span := impossible_span(filters):
        problems.append(span)
    return filters


def _period_inputs(facets: Facets, problems: list[str]) -> tuple[CreatedTime | None, CreatedTime | None]:
    if facets.earliest is None or facets.latest is None:
        return None, None
    hint = f"for example {facets.earliest:%Y}"
    with st.container(horizontal=True):
        since = st.text_input("Taken from", key="since", bind="query-params", placeholder=hint, max_chars=40)
        until = st.text_input("Taken until", key="until", bind="query-params", placeholder=hint, max_chars=40)
    st.caption("A day, month, year or decade: 3 September 1998, Sept 1998, 1998, 1930s")
    return _period(since, problems), _period(until, problems)


def _period(text: str, problems: list[str]) -> CreatedTime | None:
    try:
        return period_of(text)
    except ContactSheetError as error:
        problems.append(str(error))
        return None


def _pill(label: str, key: str, choices: Sequence[str]) -> str | None:
    return st.pills(label, choices, key=key, bind="query-params") if choices else None


def weight_slider() -> float:
    return st.slider(
        "Weight of the words",
        0.0,
        1.0,
        EQUAL_WEIGHT,
        0.05,
        key="weight",
        bind="query-params",
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
        help="Cosine similarity between the query and a picture. On the far left every picture is shown.",
    )
