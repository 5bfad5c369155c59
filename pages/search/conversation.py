"""The conversation of one person: the current turn, a follow-up to it, and the earlier turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.app import App
from core.records.assets import SearchResult
from core.records.jobs import ignore
from core.records.queries import Query
from core.search.answer import Answer
from core.search.interpretation import Interpretation
from core.search.query_language.parser import parse
from core.search.search_pipeline import CandidatesListener
from pages.search.actions import AS_TYPED, back_to_first_page, leave_similar_search
from pages.search.controls import field_values, restore_fields
from pages.search.picture_details import RESULT_ACTIONS, search_similar
from pages.search.picture_query import chosen_picture, clear_picture
from pages.search.query_chips import as_understood
from pages.search.search_state import SearchParams
from pages.search.shortcuts import go_to_top
from pages.search.turns import SearchTurn, queries, turn_key, with_more, with_turn
from pages.ui.format import escape_markdown
from pages.ui.gallery import GalleryLayout, gallery
from pages.ui.person import person
from pages.ui.progress import show_progress

TURNS_KEY, FOLLOW_UP_KEY, INTERPRETATION_KEY = "turns", "pending_follow_up", "follow_up_interpretation"


def conversation() -> tuple[SearchTurn, ...]:
    """This person's turns, the latest last."""
    turns: tuple[SearchTurn, ...] = st.session_state.setdefault(TURNS_KEY, ())
    return turns


def current_turn(app: App, collection: str, params: SearchParams) -> SearchTurn:
    """The turn that the page shows: the latest one if it is the same search, otherwise a new one."""
    version, follow_up = app.version(collection), st.session_state.pop(INTERPRETATION_KEY, None)
    earlier, latest = conversation()[:-1], conversation()[-1] if conversation() else None
    if latest is None or latest.key != turn_key(collection, version, params):
        read = read_query(app, collection, params)
        answer = run_search(app, collection, params, read)
        turn = SearchTurn(collection, version, params, answer, follow_up, field_values(), read)
        # The same search, adjusted, replaces the turn before.
        adjusted = latest is not None and latest.is_adjusted_to(turn)
        st.session_state[TURNS_KEY] = with_turn(earlier if adjusted else conversation(), turn)
        return turn
    if follow_up is not None:  # it means the same search again, with an explanation
        latest = replace(latest, follow_up=follow_up)
    if params.top > latest.params.top and latest.answer.result.shown < latest.answer.result.matching:
        more = search(app, collection, params, asked_for(params, latest.read), ranked=False).result
        latest = with_more(latest, params, more)
    st.session_state[TURNS_KEY] = (*earlier, latest)
    return latest


def read_query(app: App, collection: str, params: SearchParams) -> Interpretation | None:
    """What the words ask for: by rules, or by Gemini where it is available; None without words."""
    if not params.query:
        return None
    names = app.searches.names(collection)
    if params.as_typed:
        return Interpretation(params.query, parse(params.query, names, as_typed=True))
    with st.spinner("Understanding"):
        return app.interpretations.interpret(person(), params.query, names)


def asked_for(params: SearchParams, read: Interpretation | None) -> Query:
    """The query of the words, and of the picture of the collection that is searched by."""
    query = read.parsed.query if read else Query()
    return replace(query, like=(params.like, *query.like)) if params.like else query


def run_search(app: App, collection: str, params: SearchParams, read: Interpretation | None) -> Answer:
    placeholder, query = st.empty(), asked_for(params, read)
    try:
        with st.spinner("Searching"):
            if params.query or params.picture:
                load_model(app, collection)
            preview = partial(show_candidates, placeholder, app.settings.rank_candidates)
            return search(app, collection, params, query, not params.by_picture, preview)
    finally:
        placeholder.empty()


def search(
    app: App,
    collection: str,
    params: SearchParams,
    query: Query,
    ranked: bool,
    on_candidates: CandidatesListener = ignore,
) -> Answer:
    """The answer to a query, and to the uploaded picture if the search is by one."""
    uploaded = chosen_picture() if params.picture else None
    return app.searches.by_query(
        person(),
        query,
        collection,
        params.options,
        ranked,
        on_candidates,
        picture=uploaded.picture if uploaded else None,
        text_weight=params.weight,
    )


def load_model(app: App, collection: str) -> None:
    """Load the collection's model before its first search, showing the progress where it has to be downloaded."""
    placeholder = st.empty()
    app.warm(collection, lambda progress: show_progress(placeholder, progress))
    placeholder.empty()


def show_candidates(placeholder: DeltaGenerator, count: int, result: SearchResult) -> None:
    """The candidates by similarity, while Gemini ranks them."""
    with placeholder.container():
        st.caption(f"The most similar first; Gemini is looking at the first {min(count, len(result.hits))}")
        gallery(result.collection, result.hits[:count], "candidates", RESULT_ACTIONS)


def follow_up_input(app: App, turn: SearchTurn) -> None:
    """A chat input that refines this search; the next run searches for its interpretation."""
    with st.container():
        text = st.chat_input("Refine: only the ones at night, more like the second …", key="follow_up", max_chars=300)
    if not text:
        return
    shown = shown_ids(app, turn.answer)
    with st.spinner("Understanding"):
        follow_up = app.follow_ups.interpret(person(), queries(conversation()), text, len(shown))
    st.session_state[FOLLOW_UP_KEY] = (follow_up, shown)
    st.rerun()


def shown_ids(app: App, answer: Answer) -> list[str]:
    """The ids of the pictures on the page in order, which "the second" refers to."""
    ranked = answer.ranking is not None and answer.ranking.outcome != "fallback" and not st.session_state.get("all")
    return [hit.asset.id for hit in answer.hits[: app.settings.rank_results if ranked else None]]


def apply_follow_up() -> None:
    """Write the interpretation of a follow-up into the search's widgets, before they are drawn."""
    if FOLLOW_UP_KEY not in st.session_state:
        return
    follow_up, shown = st.session_state.pop(FOLLOW_UP_KEY)
    st.session_state[INTERPRETATION_KEY] = follow_up
    go_to_top()
    if follow_up.position and not follow_up.query and len(follow_up.like) + len(follow_up.unlike) == 1:
        search_similar(shown[follow_up.position - 1])
    else:
        back_to_first_page()
        st.session_state["q"] = follow_up.with_pictures(shown)


def show_earlier_turns(earlier: Sequence[SearchTurn]) -> None:
    """Earlier searches with their first pictures, the latest first."""
    if not earlier:
        return
    st.divider()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header("Earlier searches", anchor=False, width="content")
        st.button(
            "Clear history",
            icon=":material/delete_sweep:",
            on_click=clear_history,
            key="clear_history",
            type="tertiary",
        )
    for position, turn in reversed(list(enumerate(earlier))):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(turn_line(turn), width="content")
            if can_repeat(turn):
                st.button("Again", on_click=repeat_turn, args=(turn,), key=f"again_{position}", type="tertiary")
        gallery(turn.collection, turn.answer.hits, f"turn_{position}", RESULT_ACTIONS, GalleryLayout("small"))


def turn_line(turn: SearchTurn) -> str:
    """`More like a picture and **red** in demo`."""
    picture = "More like a picture" if turn.params.by_picture else ""
    query = as_understood(turn.read) if turn.read else turn.params.query
    words = f"**{escape_markdown(query)}**" if query else ""
    return f"{' and '.join(filter(None, [picture, words]))} in {escape_markdown(turn.collection)}"


def can_repeat(turn: SearchTurn) -> bool:
    """Whether the search needs no uploaded picture, or the one that is still there."""
    uploaded = chosen_picture()
    return not turn.params.picture or (uploaded is not None and uploaded.picture.id == turn.params.picture)


def repeat_turn(turn: SearchTurn) -> None:
    """Repeat an earlier search as it was: with its picture, filters, minimum similarity and weight."""
    if turn.params.picture:
        leave_similar_search()
    else:
        clear_picture()
    back_to_first_page()
    go_to_top()
    st.session_state["q"], st.session_state["collection"] = turn.params.query, turn.collection
    restore_fields(turn.fields)
    if turn.params.as_typed:
        st.query_params[AS_TYPED] = "1"
    if turn.params.like:
        st.query_params["like"] = turn.params.like


def discard_latest_turn() -> None:
    """The next run repeats the latest search."""
    st.session_state[TURNS_KEY] = conversation()[:-1]


def clear_history() -> None:
    st.session_state[TURNS_KEY] = conversation()[-1:]
