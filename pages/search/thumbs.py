"""Thumbs on results: what they judge, and recording the clicks."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from core.app import App
from core.errors import ContactSheetError, StoreError
from core.quality.judging import Vote
from core.search.answer import Answer
from pages.search.search_state import SearchParams
from pages.ui.format import escape_markdown
from pages.ui.gallery import Click, Thumbs
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

SESSION_KEY = "voting_session"


@dataclass(frozen=True)
class JudgedAnswer:
    """What thumbs judge: the query, the ranker whose order is shown, and whether the person is blind to it."""

    collection: str
    query: str
    ranker: str
    blind: bool = False


def judged_answer(app: App, params: SearchParams, answer: Answer) -> JudgedAnswer | None:
    """What thumbs on an answer judge; None for a search by a picture: labels are about words."""
    if params.by_picture or not params.query:
        return None
    ranked = answer.ranking is not None and answer.ranking.outcome != "fallback"
    ranker = "stand-in" if app.settings.mock_server_host else "gemini"
    return JudgedAnswer(answer.result.collection, params.query, ranker if ranked else "both")


def answer_thumbs(
    app: App, judged: JudgedAnswer | None, key: str, asset_ids: Sequence[str], first: int = 1
) -> Thumbs | None:
    """The thumbs of the gallery `key`, whose pictures have positions from `first` on.

    None, and why, where votes cannot be read: the pictures are shown all the same.
    """
    if judged is None:
        return None
    positions = {asset_id: position for position, asset_id in enumerate(asset_ids, first)}
    try:
        given = app.quality.judging.votes(person(), judged.collection, judged.query, voting_session())
    except StoreError as error:
        st.caption(f":material/thumbs_up_down: Results cannot be judged: {escape_markdown(str(error))}")
        return None
    return Thumbs(
        given, st.session_state.get(_last_click_key(key), 0), partial(record_clicks, app, judged, key, positions)
    )


@uninterrupted
def record_clicks(app: App, judged: JudgedAnswer, key: str, positions: Mapping[str, int], clicks: list[Click]) -> None:
    """Record the clicks that are newer than the last recorded one."""
    last: int = st.session_state.get(_last_click_key(key), 0)
    st.session_state[_last_click_key(key)] = max([last, *(click.number for click in clicks)])
    try:
        for click in clicks:
            if click.number > last and click.asset_id in positions:
                vote = Vote(click.asset_id, click.up, judged.ranker, positions[click.asset_id], judged.blind)
                app.quality.judging.judge(person(), judged.collection, judged.query, vote, voting_session())
    except ContactSheetError as error:
        st.toast(escape_markdown(str(error)), icon=":material/error:")


@uninterrupted
def judge_all(app: App, judged: JudgedAnswer, positions: Mapping[str, int], up: bool) -> None:
    """The same thumb for several pictures, by the positions at which they are shown."""
    try:
        for asset_id, position in positions.items():
            vote = Vote(asset_id, up, judged.ranker, position, judged.blind)
            app.quality.judging.judge(person(), judged.collection, judged.query, vote, voting_session())
    except ContactSheetError as error:
        st.toast(escape_markdown(str(error)), icon=":material/error:")


def voting_session() -> str:
    """What owns the thumbs of this session while its person has no name: a secret that no other session knows."""
    if SESSION_KEY not in st.session_state:
        st.session_state[SESSION_KEY] = secrets.token_urlsafe(16)
    return str(st.session_state[SESSION_KEY])


def _last_click_key(key: str) -> str:
    return f"{key}_last_click"
