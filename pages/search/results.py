"""What a search brought: the pictures in their order, why they are in it, and its receipt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from core.app import App
from core.cli.progress_bar import duration
from core.records.assets import Hit, SearchResult
from core.search.answer import Answer, Ranking
from pages.search.actions import forget_latest
from pages.search.picture_details import ask_for_similar
from pages.search.picture_query import chosen, put_away
from pages.search.receipt import show_receipt
from pages.search.search_state import PAGE_SIZE, Ask, summary
from pages.search.thumbs import judged, thumbs
from pages.search.turns import Turn
from pages.ui.format import milliseconds, plain
from pages.ui.gallery import gallery, open_picture


def results(app: App, turn: Turn) -> None:
    """The pictures of the turn, or what to do where there are none."""
    if turn.understood is not None and turn.ask.query:
        how = "Gemini" if turn.understood.by == "gemini" else "a plain rule"
        st.markdown(f"Understood by {how} as **{plain(turn.ask.query)}**. {turn.understood.note}")
    if turn.ask.by_picture:
        origin(app, turn.collection, turn.ask)
    if turn.answer.hits:
        show_answer(app, turn.ask, turn.answer)
    else:
        nothing_found(turn.ask)


def look_around(result: SearchResult, ask: Ask) -> None:
    """The newest pictures, before anything is asked."""
    if result.hits:
        st.caption(summary(ask, result))
        gallery(result.hits, "results", open_picture, ask_for_similar, show_similarity=False)
        show_more(ask, result)
    else:
        nothing_found(ask)


def origin(app: App, collection: str, ask: Ask) -> None:
    """The picture that the results are like, and the words that refine it."""
    outside, found = chosen(), app.asset(ask.like, collection) if ask.like else None
    if found is not None:
        title, thumbnail = found[0].title, found[1]
    elif outside is not None:
        title, thumbnail = outside.name, outside.picture.thumbnail
    else:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.image(thumbnail, width=96, alt=title)
        words = f" and **{plain(ask.query)}**" if ask.query else ""
        st.markdown(f"Pictures like **{plain(title)}**{words}", width="content")
        st.button("Clear", icon=":material/close:", on_click=put_away, help="Search by this picture no longer")


def nothing_found(ask: Ask) -> None:
    if ask.filters.active or ask.floor > 0:
        st.info("No picture fits. Lower the least similarity, or loosen the filters.", icon=":material/search_off:")
    else:
        st.info("This collection holds no pictures yet.", icon=":material/photo_library:")
        st.code("python -m core ingest FOLDER --collection NAME", language="bash")


def show_answer(app: App, ask: Ask, answer: Answer) -> None:
    """The pictures; ranked ones first, the others one click away."""
    ranking = answer.ranking
    if ranking is None or ranking.outcome == "fallback":
        st.caption(summary(ask, answer.result))
        if ranking is not None:
            refusal(ranking)
        given = thumbs(app, judged(app, ask, answer), "results", ids(answer.hits))
        gallery(answer.hits, "results", open_picture, ask_for_similar, thumbs=given)
        show_more(ask, answer.result)
    else:
        show_ranked(app, ask, answer, ranking)
    show_receipt(answer)


def show_ranked(app: App, ask: Ask, answer: Answer, ranking: Ranking) -> None:
    """The best ones with the reasons; the other candidates, and then what is less similar, where someone asks."""
    count, about = min(app.settings.rank_results, len(ranking.places)), judged(app, ask, answer)
    reasons = {place.asset_id: place.reason for place in ranking.places}
    st.caption(ranked_line(ranking, count, answer))
    best, others = answer.hits[:count], answer.hits[count:]
    given = thumbs(app, about, "results", ids(best))
    gallery(best, "results", open_picture, ask_for_similar, reasons=reasons, first=1, size="large", thumbs=given)
    if others and st.toggle(f"Show {len(others)} more, the other candidates first", key="all", bind="query-params"):
        given = thumbs(app, about, "others", ids(others), count + 1)
        gallery(others, "others", open_picture, ask_for_similar, reasons=reasons, first=count + 1, thumbs=given)
        show_more(ask, answer.result)


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.asset.id for hit in hits]


def show_more(ask: Ask, result: SearchResult) -> None:
    if result.matching > len(result.hits) and st.button("Show more", icon=":material/expand_more:"):
        st.query_params["n"] = str(ask.top + PAGE_SIZE)
        st.rerun()


def ranked_line(ranking: Ranking, chosen: int, answer: Answer) -> str:
    """One line: who chose, of how many, how long it took."""
    cached = " · remembered, at no cost" if ranking.outcome == "cached" else ""
    return (
        f"{plain(ranking.model)} chose {chosen} of {len(ranking.places)} candidates · "
        f"{milliseconds(answer.stage_ms['total'])}{cached}"
    )


def refusal(ranking: Ranking) -> None:
    """One line that says why the order is the one by similarity, and when that may change."""
    if ranking.refusal is None:
        return
    until = ranking.refusal.until
    if until is None:
        st.caption(f":material/info: {ranking.refusal.notice}")
    else:
        st.fragment(_countdown, run_every=1.0)(ranking.refusal.notice, until)


def _countdown(notice: str, until: datetime) -> None:
    left_s = (until - datetime.now(UTC)).total_seconds()
    with st.container(horizontal=True, vertical_alignment="center"):
        wait = f" Asking again is possible in {duration(left_s)}." if left_s > 0 else ""
        st.caption(f":material/timer: {notice}{wait}", width="content")
        if st.button("Ask again", disabled=left_s > 0, key="ask_again", type="tertiary"):
            forget_latest()
            st.rerun()
