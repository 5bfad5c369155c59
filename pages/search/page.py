"""Search: what should the picture show?"""

from __future__ import annotations

import streamlit as st

from core.app import DEMO, App
from core.errors import ContactSheetError
from core.search.filters import Facets
from pages.search.actions import forget_results, start_over, use_example
from pages.search.conversation import current_turn, earlier_turns, follow_up, take_over_follow_up, turns
from pages.search.picture_details import show_details
from pages.search.picture_query import chosen, picture_box
from pages.search.results import look_around, results
from pages.search.search_state import EVEN, Ask, filters_of, floor_of, shown
from pages.ui import resources
from pages.ui.format import plain
from pages.ui.notices import stand_in_notice, wait_for_demo


def main() -> None:
    app = resources.app()
    take_over_follow_up()
    collection = header(app)
    notices(app)
    if collection == DEMO:
        wait_for_demo()
    query = query_box(app, collection)
    ask = controls(query, app.searches.facets(collection))
    if ask.anything:
        turn = current_turn(app, collection, ask)
        results(app, turn)
        follow_up(app, turn)
        earlier_turns(turns()[:-1])
    else:
        look_around(app.searches.browse(collection, ask.top, ask.filters), ask)
        earlier_turns(turns())
    if "photo" in st.query_params:
        show_details(app, collection, st.query_params["photo"])


def notices(app: App) -> None:
    """What everyone should know: which model, and who answers instead of Gemini."""
    if app.encoders.known_notice:
        st.caption(f":material/info: {app.encoders.known_notice}")
    stand_in_notice(app)


def header(app: App) -> str:
    """Title and the choice of collection."""
    names = app.collection_names()
    wanted = st.query_params.get("collection", DEMO)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.title("Contact Sheet", anchor=False, width="content")
        chosen = st.selectbox(
            "Collection",
            names,
            index=names.index(DEMO),
            key="collection",
            bind="query-params",
            width=220,
            on_change=forget_results,
        )
    if wanted not in names:
        st.warning(f"There is no collection {plain(wanted)} here; this is {DEMO}.", icon=":material/folder_off:")
    return chosen if chosen in names else DEMO


def query_box(app: App, collection: str) -> str:
    """The words and the picture, with examples from the collection as long as there are none."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        query: str = st.text_input(
            "What should the picture show?",
            key="q",
            bind="query-params",
            max_chars=2000,
            icon=":material/search:",
            placeholder="Describe what you are looking for",
            on_change=start_over,
            width="stretch",
        )
        picture_box(app)
    if not query.strip() and "like" not in st.query_params and chosen() is None:
        examples = app.searches.examples(collection)
        if examples:
            st.pills("For example", examples, format_func=plain, key="example", on_change=use_example, wrap=True)
    return query.strip()


def controls(query: str, facets: Facets) -> Ask:
    """Filters, the similarity floor where there is something to be similar to, and how much words weigh."""
    like, floor, weight = st.query_params.get("like", ""), 0.0, EVEN
    outside = None if like else chosen()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        with st.popover(filters_label(), icon=":material/tune:", key="filters"):
            sources = st.multiselect("Source", [s for s, _ in facets.sources], key="source", bind="query-params")
            keywords = st.multiselect("Keyword", [k for k, _ in facets.keywords], key="keyword", bind="query-params")
            shapes = st.pills(
                "Shape", [o for o, _ in facets.orientations], selection_mode="multi", key="shape", bind="query-params"
            )
            since = until = None
            if facets.earliest and facets.latest:
                first, last = facets.earliest.date(), facets.latest.date()
                since = st.date_input("Taken from", None, first, last, key="since", bind="query-params")
                until = st.date_input("Taken until", None, first, last, key="until", bind="query-params")
        if query and (like or outside):
            weight = st.slider(
                "Share of the words",
                0.0,
                1.0,
                EVEN,
                0.05,
                key="weight",
                bind="query-params",
                width=260,
                format="percent",
                help="At the left end only the picture counts, at the right end only the words.",
            )
        if query or like or outside:
            floor = st.slider(
                "Least similarity",
                0.0,
                1.0,
                0.0,
                0.01,
                key="floor",
                bind="query-params",
                width=260,
                help="Cosine similarity between the query and a picture. At the left end everything is shown.",
            )
    filters = filters_of(sources, keywords, shapes, since, until)
    picture = outside.picture.id if outside else ""
    return Ask(query, like, filters, floor_of(floor), shown(st.query_params), picture, weight)


def filters_label() -> str:
    """`Filters`, with the number of those in use."""
    used = sum(bool(st.session_state.get(name)) for name in ("source", "keyword", "shape", "since", "until"))
    return f"Filters · {used}" if used else "Filters"


try:
    main()
except ContactSheetError as error:
    st.error(plain(str(error)), icon=":material/error:")
