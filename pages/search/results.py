"""The results of a search: the pictures in order, the reasons for it, and the receipt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.app import App
from core.gemini.failures import CallFailure
from core.records.assets import Hit, SearchResult
from core.records.queries import Query
from core.search.answer import Answer, Ranking
from core.search.conditions import unknown_condition_values
from core.text import duration, listed
from pages.search.conversation import asked_for, discard_latest_turn
from pages.search.picture_details import RESULT_ACTIONS
from pages.search.picture_query import chosen_picture, clear_picture
from pages.search.query_chips import as_understood, show_chips, show_mistakes
from pages.search.receipt import show_receipt
from pages.search.result_remarks import show_correction, show_hints
from pages.search.search_state import PAGE_SIZE, SearchParams, result_summary
from pages.search.selection import with_selection
from pages.search.thumbs import answer_thumbs, judged_answer
from pages.search.turns import SearchTurn
from pages.ui.format import escape_markdown, format_ms, sentence
from pages.ui.gallery import Divider, GalleryLayout, gallery
from pages.ui.routes import image_address


def show_turn(app: App, turn: SearchTurn, line: DeltaGenerator) -> None:
    """The pictures of the turn, or advice if there are none; what sums them up goes to `line`."""
    if turn.follow_up is not None and turn.params.query:
        interpreter = "Gemini" if turn.follow_up.by == "gemini" else "a simple rule"
        query = escape_markdown(as_understood(turn.read) if turn.read else turn.params.query)
        note = escape_markdown(turn.follow_up.note)
        st.markdown(f"Understood by {interpreter} as **{query}**. {note}")
    if turn.params.by_picture:
        with line:
            show_reference(app, turn.collection, turn.params)
    if turn.read is not None:
        with line:
            show_chips(turn.read)
        show_mistakes(turn.read)
        if turn.read.parsed.problems and asked_for(turn.params, turn.read) == Query() and not turn.params.picture:
            return  # the newest pictures would look like results
    show_correction(turn.answer.result, turn.params.query)
    show_hints(turn.answer.result)
    if turn.answer.hits:
        show_answer(app, turn.params, turn.answer, line)
    else:
        show_nothing_found(app, turn)


def show_newest(result: SearchResult, params: SearchParams, line: DeltaGenerator) -> None:
    """The newest pictures, before any search."""
    if result.hits:
        line.caption(result_summary(params, result), width="content")
        actions = with_selection(RESULT_ACTIONS, asset_ids(result.hits))
        gallery(result.collection, result.hits, "results", actions, GalleryLayout(show_similarity=False))
        show_more(params, result)
    else:
        show_empty(params)


def show_reference(app: App, collection: str, params: SearchParams) -> None:
    """The picture that is searched by, and the words that refine it."""
    uploaded, found = chosen_picture(), app.asset(params.like, collection) if params.like else None
    image: str | bytes
    if found is not None:
        title, image = found[0].title, image_address(collection, found[0].id)
    elif uploaded is not None:
        title, image = uploaded.name, uploaded.picture.thumbnail  # not stored anywhere
    else:
        return
    with st.container(horizontal=True, vertical_alignment="center", width="content"):
        st.image(image, width=40, alt=title)
        words = f" and **{escape_markdown(params.query)}**" if params.query else ""
        st.markdown(f"Pictures like **{escape_markdown(title)}**{words}", width="content")
        st.button("Clear", icon=":material/close:", on_click=clear_picture, help="Stop searching by this picture")


def show_nothing_found(app: App, turn: SearchTurn) -> None:
    """Why nothing may have been found, and what to do."""
    query = asked_for(turn.params, turn.read)
    unknown = unknown_condition_values(app.searches.names(turn.collection), query)
    if unknown:
        st.info(escape_markdown(sentence(f"this collection has no {listed(unknown)}")), icon=":material/search_off:")
    elif query.conditions:
        st.info("No picture meets every condition. Remove one of them above.", icon=":material/search_off:")
    else:
        show_empty(turn.params)


def show_empty(params: SearchParams) -> None:
    if params.filters.active or params.min_similarity > 0:
        st.info("No picture matches. Lower the minimum similarity or loosen the filters.", icon=":material/search_off:")
    elif params.by == "words":
        st.info("No text has any of these words. Search by pixels, or by both.", icon=":material/search_off:")
    else:
        st.info("This collection has no pictures yet. Add some on the Library page.", icon=":material/photo_library:")


def show_answer(app: App, params: SearchParams, answer: Answer, line: DeltaGenerator) -> None:
    """The pictures: by similarity, or the ranked ones first."""
    ranking = answer.ranking
    if ranking is None or ranking.outcome == "fallback":
        with line:
            failure = ranking.failure if ranking else None
            keyless = failure.notice if failure and failure.cause == "no_key" else None
            st.caption(result_summary(params, answer.result), width="content", help=keyless)
            if failure and not keyless:
                show_failure(failure)
        thumbs = answer_thumbs(app, judged_answer(app, params, answer), "results", asset_ids(answer.hits))
        actions = with_selection(RESULT_ACTIONS, asset_ids(answer.hits))
        # Words alone and conditions alone compare no pictures.
        compared = any(answer.result.spread)
        layout = GalleryLayout(show_similarity=compared, divider=closest_line(answer.result, len(answer.hits)))
        gallery(answer.result.collection, answer.hits, "results", actions, layout, thumbs)
        show_more(params, answer.result)
    else:
        chosen = min(app.settings.rank_results, len(ranking.candidates))
        line.caption(ranked_line(ranking, chosen, answer), width="content")
        show_ranked(app, params, answer, ranking)
    show_receipt(answer)


def show_ranked(app: App, params: SearchParams, answer: Answer, ranking: Ranking) -> None:
    """The best pictures with the reasons; behind a toggle the other candidates, then less similar pictures."""
    count, judged = min(app.settings.rank_results, len(ranking.candidates)), judged_answer(app, params, answer)
    reasons = {candidate.asset_id: candidate.reason for candidate in ranking.candidates}
    best, others, collection = answer.hits[:count], answer.hits[count:], answer.result.collection
    thumbs = answer_thumbs(app, judged, "results", asset_ids(best))
    actions = with_selection(RESULT_ACTIONS, asset_ids(best))
    gallery(collection, best, "results", actions, GalleryLayout("large", first=1, reasons=reasons), thumbs)
    if others and st.toggle(
        f"Show {len(others)} more, starting with the other candidates", key="all", bind="query-params"
    ):
        thumbs = answer_thumbs(app, judged, "others", asset_ids(others), count + 1)
        actions = with_selection(RESULT_ACTIONS, asset_ids(others))
        gallery(collection, others, "others", actions, GalleryLayout(first=count + 1, reasons=reasons), thumbs)
        show_more(params, answer.result)


def closest_line(result: SearchResult, shown: int) -> Divider | None:
    """The line after the pictures that stand out; None if all or none of those shown do."""
    return Divider(result.closest, "Closest matches end here") if 0 < result.closest < shown else None


def asset_ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.asset.id for hit in hits]


def show_more(params: SearchParams, result: SearchResult) -> None:
    if result.matching > result.shown and st.button("Show more", icon=":material/expand_more:"):
        st.query_params["n"] = str(params.top + PAGE_SIZE)
        st.rerun()


def ranked_line(ranking: Ranking, chosen: int, answer: Answer) -> str:
    """`gemini-… chose 4 of 10 candidates · 1.2 s`."""
    cached = " · from the cache, at no cost" if ranking.outcome == "cached" else ""
    return (
        f"{escape_markdown(ranking.model)} chose {chosen} of {len(ranking.candidates)} candidates · "
        f"{format_ms(answer.stage_ms['total'])}{cached}"
    )


def show_failure(failure: CallFailure) -> None:
    """One line that says why there is no ranking, and when to try again."""
    if failure.retry_at is None:
        st.caption(f":material/info: {failure.notice}", width="content")
    else:
        st.fragment(_countdown, run_every=1.0)(failure.notice, failure.retry_at)


def _countdown(notice: str, until: datetime) -> None:
    left_s = (until - datetime.now(UTC)).total_seconds()
    with st.container(horizontal=True, vertical_alignment="center"):
        wait = f" You can ask again in {duration(left_s)}." if left_s > 0 else ""
        st.caption(f":material/timer: {notice}{wait}", width="content")
        if st.button("Ask again", disabled=left_s > 0, key="ask_again", type="tertiary"):
            discard_latest_turn()
            st.rerun()
