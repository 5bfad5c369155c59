"""Thumbs on results: what is judged, and how a click is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.search.answer import Answer
from pages.search.search_state import Ask
from pages.ui.format import plain
from pages.ui.gallery import Click, Thumbs
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted


@dataclass(frozen=True)
class JudgedAnswer:
    """What the pictures answer, whose order they are in, and whether the person cannot know that."""

    collection: str
    query: str
    ranker: str
    blind: bool = False


def judged(app: App, ask: Ask, answer: Answer) -> JudgedAnswer | None:
    """What thumbs on an answer are about; None where a picture was searched by: a label is about words."""
    if ask.by_picture or not ask.query:
        return None
    ranked = answer.ranking is not None and answer.ranking.outcome != "fallback"
    ranker = "stand-in" if app.settings.gemini_stand_in else "gemini"
    return JudgedAnswer(answer.result.collection, ask.query, ranker if ranked else "vector")


def thumbs(app: App, about: JudgedAnswer | None, key: str, asset_ids: Sequence[str], first: int = 1) -> Thumbs | None:
    """The thumbs of the gallery `key`, whose pictures stand at the places from `first`."""
    if about is None:
        return None
    places = {asset_id: place for place, asset_id in enumerate(asset_ids, first)}
    given = app.quality.judging.of(person(), about.collection, about.query)
    return Thumbs(given, st.session_state.get(_heard(key), 0), partial(keep, app, about, key, places))


@uninterrupted
def keep(app: App, about: JudgedAnswer, key: str, places: Mapping[str, int], clicks: list[Click]) -> None:
    """Keep what was clicked since the last time."""
    heard: int = st.session_state.get(_heard(key), 0)
    st.session_state[_heard(key)] = max([heard, *(click.number for click in clicks)])
    try:
        for click in clicks:
            if click.number > heard and click.asset_id in places:
                app.quality.judging.judge(
                    person(),
                    about.collection,
                    about.query,
                    click.asset_id,
                    click.up,
                    ranker=about.ranker,
                    position=places[click.asset_id],
                    blind=about.blind,
                )
    except ContactSheetError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _heard(key: str) -> str:
    return f"{key} heard"
