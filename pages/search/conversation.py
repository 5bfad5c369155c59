"""The turns of one person: the one that is shown, what may follow it, and the earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.app import App
from core.records.assets import SearchResult
from core.search.answer import Answer
from pages.search.actions import forget_results, start_over
from pages.search.picture_details import ask_for_similar
from pages.search.picture_query import chosen, put_away
from pages.search.search_state import Ask
from pages.search.turns import Turn, key_of, queries, with_more, with_turn
from pages.ui.format import plain
from pages.ui.gallery import gallery, open_picture
from pages.ui.progress import show_progress


def turns() -> tuple[Turn, ...]:
    """This person's conversation."""
    kept: tuple[Turn, ...] = st.session_state.setdefault("turns", ())
    return kept


def current_turn(app: App, collection: str, ask: Ask) -> Turn:
    """The turn that the page shows: the latest one if it asked the same, otherwise a new one."""
    latest, version = turns()[-1] if turns() else None, app.version(collection)
    understood = st.session_state.pop("understood", None)
    if latest is not None and latest.key == key_of(collection, version, ask):
        if understood is not None:  # it means the same search again, and says why
            latest = replace(latest, understood=understood)
            st.session_state["turns"] = (*turns()[:-1], latest)
        if ask.top > latest.ask.top and len(latest.answer.result.hits) < latest.answer.result.matching:
            result = unranked(app, collection, ask).result
            st.session_state["turns"] = (*turns()[:-1], with_more(latest, ask, result))
        return turns()[-1]
    turn = Turn(collection, version, ask, answer(app, collection, ask), understood)
    # Another weight is the same search, adjusted: it takes the place of the one before.
    adjusted = latest is not None and replace(latest, ask=replace(latest.ask, weight=ask.weight)).key == turn.key
    st.session_state["turns"] = with_turn(turns()[:-1] if adjusted else turns(), turn)
    return turn


def answer(app: App, collection: str, ask: Ask) -> Answer:
    place = st.empty()
    try:
        with st.spinner("Searching"):
            if ask.query or ask.picture:
                load_model(app, collection)
            if ask.by_picture:
                return unranked(app, collection, ask)
            preview = partial(show_candidates, place, app.settings.rank_candidates)
            return app.search(ask.query, collection, ask.top, ask.filters, ask.floor, True, preview)
    finally:
        place.empty()


def unranked(app: App, collection: str, ask: Ask) -> Answer:
    """The answer by similarity alone, to whatever is asked."""
    how = (collection, ask.top, ask.filters, ask.floor)
    outside = chosen()
    if ask.picture and outside is not None:
        return app.searches.by_picture(outside.picture, *how, ask.query, ask.weight)
    if ask.like:
        return app.searches.similar(ask.like, *how, ask.query, ask.weight)
    return app.search(ask.query, *how)


def load_model(app: App, collection: str) -> None:
    """Words need the collection's model: loaded at the first search, and downloaded first where it is not there."""
    place = st.empty()
    app.warm(collection, lambda progress: show_progress(place, progress))
    place.empty()


def show_candidates(place: DeltaGenerator, count: int, result: SearchResult) -> None:
    """By similarity, while Gemini looks at them."""
    with place.container():
        st.caption(f"The most similar first; Gemini is looking at the first {min(count, len(result.hits))}")
        gallery(result.hits[:count], "candidates", open_picture, ask_for_similar)


def follow_up(app: App, turn: Turn) -> None:
    """A few words that refine this search; the next run searches for what they mean."""
    with st.container():
        text = st.chat_input("Refine: only the ones at night, more like the second …", key="follow_up", max_chars=300)
    if not text:
        return
    shown = shown_pictures(app, turn.answer)
    with st.spinner("Understanding"):
        understood = app.follow_ups.understand(queries(turns()), text, len(shown))
    st.session_state["follow_up_ask"] = (understood, shown[understood.place - 1] if understood.place else "")
    st.rerun()


def shown_pictures(app: App, found: Answer) -> list[str]:
    """The ids of the pictures on the page, in their order: what "the second" counts."""
    ranked = found.ranking is not None and found.ranking.outcome != "fallback" and not st.session_state.get("all")
    return [hit.asset.id for hit in found.hits[: app.settings.rank_results if ranked else None]]


def take_over_follow_up() -> None:
    """Put what a follow-up means where a question stands, before the widgets are drawn."""
    if "follow_up_ask" not in st.session_state:
        return
    understood, like = st.session_state.pop("follow_up_ask")
    st.session_state["understood"] = understood
    if like:
        ask_for_similar(like)
    else:
        start_over()
        st.session_state["q"] = understood.query


def earlier_turns(earlier: Sequence[Turn]) -> None:
    """Earlier searches with their first pictures, the latest first."""
    if not earlier:
        return
    st.divider()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader("Earlier searches", anchor=False, width="content")
        st.button(
            "Clear history",
            icon=":material/delete_sweep:",
            on_click=clear_history,
            key="clear_history",
            type="tertiary",
        )
    for place, turn in reversed(list(enumerate(earlier))):
        what = "More like a picture" if turn.ask.by_picture else ""
        what = " and ".join(filter(None, [what, f"**{plain(turn.ask.query)}**" if turn.ask.query else ""]))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{what} in {plain(turn.collection)}", width="content")
            if can_go_back(turn):
                st.button("Again", on_click=go_back, args=(turn,), key=f"again_{place}", type="tertiary")
        gallery(turn.answer.hits, f"turn_{place}", open_picture, ask_for_similar, size="small")


def can_go_back(turn: Turn) -> bool:
    """Not where it needs a picture from outside that is no longer here."""
    outside = chosen()
    return not turn.ask.picture or (outside is not None and outside.picture.id == turn.ask.picture)


def go_back(turn: Turn) -> None:
    """Ask an earlier question again."""
    if turn.ask.picture:
        forget_results()
    else:
        put_away()
    st.session_state["q"], st.session_state["collection"] = turn.ask.query, turn.collection
    st.session_state["weight"] = turn.ask.weight
    if turn.ask.like:
        st.query_params["like"] = turn.ask.like


def clear_history() -> None:
    st.session_state["turns"] = st.session_state.get("turns", ())[-1:]
