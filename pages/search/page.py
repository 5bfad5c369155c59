"""Search: what should the picture show?"""

from __future__ import annotations

import streamlit as st

from core.app import DEMO, App
from core.errors import ContactSheetError
from core.records import SearchResult
from core.search.filters import Facets
from pages.search.details import ask_for_similar, show_details
from pages.search.state import PAGE_SIZE, Ask, filters_of, floor_of, shown, summary
from pages.ui import resources
from pages.ui.demo_notice import wait_for_demo
from pages.ui.gallery import gallery
from pages.ui.progress import show_progress
from pages.ui.text import plain


def main() -> None:
    app = resources.app()
    collection = header(app)
    if app.known_notice:
        st.caption(f":material/info: {app.known_notice}")
    if collection == DEMO:
        wait_for_demo()
    query = query_box(app, collection)
    ask = controls(query, st.query_params.get("like", ""), app.facets(collection))
    if ask.query:
        load_model(app, collection)
    with st.spinner("Searching"):
        result = answer(app, collection, ask)
    results(app, collection, ask, result)
    if "photo" in st.query_params:
        show_details(app, collection, st.query_params["photo"])


def load_model(app: App, collection: str) -> None:
    """Words need the collection's model: loaded at the first search, and downloaded first where it is not there."""
    place = st.empty()
    app.warm(collection, lambda progress: show_progress(place, progress))
    place.empty()


def header(app: App) -> str:
    """Title and the choice of collection."""
    names = app.collection_names()
    wanted = st.query_params.get("collection", DEMO)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.title("Contact Sheet", anchor=False, width="content")
        chosen = st.selectbox(
            "Collection", names, index=names.index(DEMO), key="collection", bind="query-params", width=220,
            on_change=forget_results,
        )  # fmt: skip
    if wanted not in names:
        st.warning(f"There is no collection {plain(wanted)} here; this is {DEMO}.", icon=":material/folder_off:")
    return chosen if chosen in names else DEMO


def query_box(app: App, collection: str) -> str:
    """The words, with examples from the collection as long as there are none."""
    query: str = st.text_input(
        "What should the picture show?", key="q", bind="query-params", max_chars=2000, icon=":material/search:",
        placeholder="Describe what you are looking for", on_change=forget_results,
    )  # fmt: skip
    if not query.strip() and "like" not in st.query_params:
        examples = app.examples(collection)
        if examples:
            st.pills("For example", examples, format_func=plain, key="example", on_change=use_example, wrap=True)
    return query.strip()


def use_example() -> None:
    chosen = st.session_state.pop("example", None)
    if chosen:
        st.session_state["q"] = chosen


def forget_results() -> None:
    """A new question starts on its first page, and no longer from a picture."""
    for name in ("like", "n", "photo"):
        st.query_params.pop(name, None)


def controls(query: str, like: str, facets: Facets) -> Ask:
    """Filters, and the similarity floor where there is something to be similar to."""
    floor = 0.0
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
        if query or like:
            floor = st.slider(
                "Least similarity", 0.0, 1.0, 0.0, 0.01, key="floor", bind="query-params", width=260,
                help="Cosine similarity between the query and a picture. At the left end everything is shown.",
            )  # fmt: skip
    filters = filters_of(sources, keywords, shapes, since, until)
    return Ask(query, like, filters, floor_of(floor), shown(st.query_params))


def filters_label() -> str:
    """`Filters`, with the number of those in use."""
    used = sum(bool(st.session_state.get(name)) for name in ("source", "keyword", "shape", "since", "until"))
    return f"Filters · {used}" if used else "Filters"


def answer(app: App, collection: str, ask: Ask) -> SearchResult:
    if ask.query:
        return app.search(ask.query, collection, ask.top, ask.filters, ask.floor)
    if ask.like:
        return app.similar(ask.like, collection, ask.top, ask.filters, ask.floor)
    return app.browse(collection, ask.top, ask.filters)


def results(app: App, collection: str, ask: Ask, result: SearchResult) -> None:
    """The pictures, or what to do where there are none."""
    if ask.like and not ask.query:
        origin(app, collection, ask.like)
    if not result.hits:
        nothing_found(ask)
        return
    st.caption(summary(ask, result))
    gallery(result.hits, "results", open_picture, ask_for_similar, show_similarity=bool(ask.query or ask.like))
    if result.matching > len(result.hits) and st.button("Show more", icon=":material/expand_more:"):
        st.query_params["n"] = str(ask.top + PAGE_SIZE)
        st.rerun()


def open_picture(asset_id: str) -> None:
    """The next run shows this picture's details."""
    st.query_params["photo"] = asset_id


def origin(app: App, collection: str, asset_id: str) -> None:
    """The picture that the results are like."""
    found = app.asset(asset_id, collection)
    if found:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.image(found[1], width=96, alt=found[0].title)
            st.markdown(f"Pictures like **{plain(found[0].title)}**", width="content")
            st.button("Clear", icon=":material/close:", on_click=forget_results)


def nothing_found(ask: Ask) -> None:
    if ask.filters.active or ask.floor > 0:
        st.info("No picture fits. Lower the least similarity, or loosen the filters.", icon=":material/search_off:")
    else:
        st.info("This collection holds no pictures yet.", icon=":material/photo_library:")
        st.code("python -m core ingest FOLDER --collection NAME", language="bash")


try:
    main()
except ContactSheetError as error:
    st.error(plain(str(error)), icon=":material/error:")
