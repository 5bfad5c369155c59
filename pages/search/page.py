"""Search: what should the picture show?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.app import DEMO, App
from core.errors import ContactSheetError, TooManyTries
from pages.library.outcome_notice import show_notice
from pages.search.actions import back_to_first_page, leave_similar_search
from pages.search.controls import search_controls
from pages.search.conversation import (
    apply_follow_up,
    conversation,
    current_turn,
    follow_up_input,
    show_earlier_turns,
    shown_ids,
)
from pages.search.cut import show_spread
from pages.search.found_details import show_why
from pages.search.picture_details import show_details
from pages.search.picture_query import picture_input
from pages.search.results import asset_ids, show_newest, show_turn
from pages.search.search_state import SearchParams
from pages.search.selection_bar import SECTION, select_button, show_selection_bar
from pages.search.shortcuts import hear_shortcuts
from pages.search.thumbs import JudgedAnswer, judged_answer
from pages.search.turns import shorten
from pages.ui import resources
from pages.ui.copy_link import copy_link
from pages.ui.format import escape_markdown, sentence
from pages.ui.header import collection_header
from pages.ui.notices import show_mock_server_notice, wait_for_demo

BOX = "What should the picture show?"
MAX_EXAMPLES = 5  # as many as usually fit on the line


def main() -> None:
    app = resources.app()
    apply_follow_up()
    collection = collection_header(app, "Contact Sheet", leave_similar_search)
    show_mock_server_notice(app)
    if collection == DEMO:
        wait_for_demo()
    query = query_box(app)
    controls = search_controls(query, app.searches.facets(collection))
    params, line = controls.params, controls.line
    show_notice(app, SECTION)
    judged = None
    if params.has_query:
        shown, judged = show_search(app, collection, params, line)
        if controls.spread is not None and conversation():
            with controls.spread:
                show_spread(conversation()[-1].answer.result, params.min_similarity)
    else:
        newest = app.searches.browse(collection, params.top, params.filters)
        show_newest(newest, params, line)
        shown = asset_ids(newest.hits)
        with line:
            show_examples(app.searches.examples(collection)[:MAX_EXAMPLES])
        show_earlier_turns(conversation())
    with line:
        st.space("stretch")
        with st.container(horizontal=True, width="content"):
            select_button()
            copy_link()
    show_selection_bar(app, collection, shown, judged)
    if "photo" in st.query_params:
        show_details(app, collection, st.query_params["photo"], partial(show_why, app))


def show_search(
    app: App, collection: str, params: SearchParams, line: DeltaGenerator
) -> tuple[list[str], JudgedAnswer | None]:
    """The search and what it found, and the earlier ones; these alone where there were too many in a minute.

    Returns the ids of the pictures that are shown, and what thumbs on them judge.
    """
    try:
        turn = current_turn(app, collection, params)
    except TooManyTries as error:
        st.warning(escape_markdown(sentence(str(error))), icon=":material/timer:")
        st.button("Search again", icon=":material/replay:", key="search_again")
        show_earlier_turns([shorten(turn) for turn in conversation()])
        return [], None
    show_turn(app, turn, line)
    follow_up_input(app, turn)
    show_earlier_turns(conversation()[:-1])
    return shown_ids(app, turn.answer), judged_answer(app, params, turn.answer)


def query_box(app: App) -> str:
    """Inputs for words and a picture."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        query: str = st.text_input(
            BOX,
            key="q",
            bind="query-params",
            max_chars=2000,
            icon=":material/search:",
            placeholder=BOX,
            label_visibility="collapsed",
            on_change=back_to_first_page,
            width="stretch",
        )
        picture_input(app)
    hear_shortcuts(BOX)
    return query.strip()


def show_examples(examples: Sequence[str]) -> None:
    """Queries to begin with."""
    if examples:
        st.pills(
            "For example",
            examples,
            format_func=escape_markdown,
            key="example",
            on_change=use_example,
            label_visibility="collapsed",
            width="content",
            wrap=True,
        )


def use_example() -> None:
    example = st.session_state.pop("example", None)
    if example:
        st.session_state["q"] = example


try:
    main()
except ContactSheetError as error:
    st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
