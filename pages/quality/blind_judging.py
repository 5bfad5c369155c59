"""Judging blind: both orders in one shuffled list; whose they were is shown in the end."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.app import App
from core.quality.blind import Pooled
from core.quality.relevance import DEPTH
from pages.clusters.explorer import leave_or_look
from pages.quality.reveal import places, revealed, same_order
from pages.search.conversation import load_model
from pages.search.thumbs import JudgedAnswer, thumbs
from pages.ui.gallery import find_similar, gallery, open_picture
from pages.ui.notices import stand_in_notice
from pages.ui.person import person

KEPT, SHOWN = "blind_pool", "blind_shown"
POOLED = "pooled"


@dataclass(frozen=True)
class Pool:
    """What one person judges: the pictures of both orders for a query, shuffled by `seed`."""

    collection: str
    query: str
    seed: str
    pictures: tuple[Pooled, ...]


def judge_blind(app: App, collection: str) -> None:
    """A query, its pictures, thumbs; then what they say of the two orders."""
    st.caption(
        f"The first {DEPTH} pictures by similarity and the first {DEPTH} by Gemini come in one shuffled list. Judge "
        "each by whether it answers the query; whose it was is shown at the end."
    )
    if not app.settings.gemini_api_key:
        st.info(
            "GEMINI_API_KEY is not set, so there is one order only. Thumbs count as labels all the same.",
            icon=":material/info:",
        )
    stand_in_notice(app)
    query = st.text_input(
        "Query", key="judge", bind="query-params", max_chars=2000, placeholder="What should the pictures show?"
    ).strip()
    if query:
        pool = pool_of(app, collection, query)
        leave_or_look(app, collection)
        judging(app, pool)


def pool_of(app: App, collection: str, query: str) -> Pool:
    """This person's list for a query; searched for once."""
    seed = f"{collection} {query} {person().author}"
    kept: Pool | None = st.session_state.get(KEPT)
    if kept is None or kept.seed != seed:
        load_model(app, collection)
        with st.spinner("Searching"):
            kept = Pool(collection, query, seed, app.quality.blind(query, collection, DEPTH, seed))
        st.session_state[KEPT] = kept
        st.session_state.pop(SHOWN, None)
    return kept


def judging(app: App, pool: Pool) -> None:
    """The pictures with thumbs and how many are judged; once shown whose they were, none can be judged any more."""
    ids = [picture.asset_id for picture in pool.pictures]
    given = thumbs(app, JudgedAnswer(pool.collection, pool.query, POOLED, blind=True), "blind", ids)
    mine = {asset_id: up for asset_id, up in (given.given if given else {}).items() if asset_id in ids}
    if not ids:
        st.info("Nothing was found.", icon=":material/search_off:")
        return
    shown = bool(st.session_state.get(SHOWN))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(len(mine) / len(ids), text=f"{len(mine)} of {len(ids)} judged", width="stretch")
        st.button(
            "Show whose they were",
            type="primary" if len(mine) == len(ids) else "secondary",
            disabled=not mine or shown,
            on_click=show,
            key="reveal",
        )
    if shown:
        reveal(pool, mine)
    hits = app.pictures(pool.collection, ids)
    gallery(
        hits,
        "blind",
        open_picture,
        find_similar,
        show_similarity=False,
        thumbs=None if shown else given,
        reasons=places(pool.pictures) if shown else None,
    )


def show() -> None:
    st.session_state[SHOWN] = True


def reveal(pool: Pool, mine: dict[str, bool]) -> None:
    """How good each order was by this person's thumbs."""
    st.dataframe(revealed(pool.pictures, mine), hide_index=True)
    if same_order(pool.pictures):
        st.caption("Both orders are the same: Gemini gave none, or agrees with similarity.")
    else:
        st.caption("One query says little; evaluate what people judged, under Runs, to see an interval over many.")
