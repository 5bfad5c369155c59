"""Judging blind: both orders in one shuffled list, whose origins are revealed at the end."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.app import App
from core.quality.blind import PooledPicture
from core.quality.relevance import DEPTH
from pages.quality.reveal import place_captions, reveal_rows, same_order
from pages.search.conversation import load_model
from pages.search.picture_details import follow_picture_links
from pages.search.thumbs import JudgedAnswer, answer_thumbs
from pages.ui.gallery import GalleryActions, GalleryLayout, find_similar, gallery, open_picture
from pages.ui.notices import show_mock_server_notice
from pages.ui.person import person

POOL_KEY, REVEALED_KEY = "blind_pool", "blind_shown"
POOLED_RANKER = "pooled"


@dataclass(frozen=True)
class JudgingPool:
    """What one person judges: the pictures of both orders for a query, shuffled with `seed`."""

    collection: str
    query: str
    seed: str
    pictures: tuple[PooledPicture, ...]


def show_blind_judging(app: App, collection: str) -> None:
    """A query, its pictures with thumbs; then what these say about the two orders."""
    if app.settings.gemini_api_key:
        st.caption(
            f"The first {DEPTH} pictures by similarity and the first {DEPTH} by Gemini come in one shuffled list. "
            "Judge each by whether it answers the query; where it came from is shown at the end."
        )
    else:
        st.info(
            "No Gemini key is set, so only the order by similarity is judged. Your thumbs still count as labels.",
            icon=":material/info:",
        )
    show_mock_server_notice(app)
    query = st.text_input(
        "Query", key="judge", bind="query-params", max_chars=2000, placeholder="What should the pictures show?"
    ).strip()
    if query:
        pool = current_pool(app, collection, query)
        follow_picture_links(app, collection)
        judge_pool(app, pool)


def current_pool(app: App, collection: str, query: str) -> JudgingPool:
    """This person's pool for a query; searched for once."""
    seed = f"{collection} {query} {person().author}"
    pool: JudgingPool | None = st.session_state.get(POOL_KEY)
    if pool is None or pool.seed != seed:
        load_model(app, collection)
        with st.spinner("Searching"):
            pictures = app.quality.blind_pool(person(), query, collection, DEPTH, seed)
            pool = JudgingPool(collection, query, seed, pictures)
        st.session_state[POOL_KEY] = pool
        st.session_state.pop(REVEALED_KEY, None)
    return pool


def judge_pool(app: App, pool: JudgingPool) -> None:
    """The pictures with thumbs, and how many are judged; once revealed, none can be judged any more."""
    ids = [picture.asset_id for picture in pool.pictures]
    thumbs = answer_thumbs(app, JudgedAnswer(pool.collection, pool.query, POOLED_RANKER, blind=True), "blind", ids)
    judged = {asset_id: up for asset_id, up in (thumbs.given if thumbs else {}).items() if asset_id in ids}
    if not ids:
        st.info("Nothing was found.", icon=":material/search_off:")
        return
    revealed = bool(st.session_state.get(REVEALED_KEY))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(len(judged) / len(ids), text=f"{len(judged)} of {len(ids)} judged", width="stretch")
        st.button(
            "Reveal origins",
            type="primary" if len(judged) == len(ids) else "secondary",
            disabled=not judged or revealed,
            on_click=on_reveal,
            key="reveal",
        )
    if revealed:
        show_reveal(pool, judged)
    hits = app.pictures(pool.collection, ids)
    gallery(
        pool.collection,
        hits,
        "blind",
        GalleryActions(open_picture, find_similar),
        GalleryLayout(show_similarity=False, reasons=place_captions(pool.pictures) if revealed else {}),
        thumbs=None if revealed else thumbs,
    )


def on_reveal() -> None:
    st.session_state[REVEALED_KEY] = True


def show_reveal(pool: JudgingPool, judged: dict[str, bool]) -> None:
    """How good each order was, by this person's thumbs."""
    st.dataframe(reveal_rows(pool.pictures, judged), hide_index=True)
    if same_order(pool.pictures):
        st.caption("Both orders are the same: Gemini gave none, or agrees with similarity.")
    else:
        st.caption("One query says little; evaluate what people judged, under Runs, to see an interval over many.")
