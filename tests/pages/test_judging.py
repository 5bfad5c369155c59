"""Thumbs on the search page, and a picture as its query."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.access import Person
from core.app import App
from core.errors import StoreError
from core.quality.judging import Vote
from core.search.answer import Answer, Ranking
from pages.search import thumbs as thumbs_module
from pages.search.search_state import SearchParams
from pages.search.thumbs import JudgedAnswer, answer_thumbs, judged_answer, record_clicks, voting_session
from pages.ui.gallery import Click, parse_clicks
from tests.fakes.encoder import COLOURS
from tests.pages.conftest import frames, gallery_data, visit

ABOUT = JudgedAnswer("demo", "red", "both")


def picture(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), COLOURS[colour]).save(buffer, "PNG")
    return buffer.getvalue()


def shown(page: AppTest) -> dict[str, Any]:
    """What the first gallery was given."""
    return gallery_data(page)[0]


@pytest.fixture
def positions(served: App, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The positions of the demo's pictures for "red", for callbacks that run without a page."""
    served.ensure_demo()
    monkeypatch.setattr(thumbs_module.st, "session_state", {})
    return {hit.asset.id: position for position, hit in enumerate(served.search("red", "demo").hits, 1)}


def test_clicks_of_the_browser_are_parsed_and_malformed_ones_ignored() -> None:
    entries = [
        [1, "a", "up"],
        [2.0, "b", "down"],
        [3, "a", ""],
        "x",
        [4, 5, "up"],
        [5, "c", "sideways"],
        [6, "c"],
        None,
    ]
    assert parse_clicks(entries) == [Click(1, "a", True), Click(2, "b", False), Click(3, "a", None)]
    assert parse_clicks(None) == []
    assert parse_clicks({"a": 1}) == []


def test_a_click_is_stored_once_with_query_model_ranker_and_position(served: App, positions: dict[str, int]) -> None:
    first, second, _ = positions
    record_clicks(served, ABOUT, "results", positions, [Click(1, second, False)])
    (opinion,) = served.quality.judging._judgements.latest()
    assert opinion.judgement.asset_id == second
    assert (opinion.judgement.query, opinion.judgement.model, opinion.judgement.ranker) == ("red", "colour", "both")
    assert (opinion.judgement.position, opinion.judgement.up, opinion.judgement.blind) == (2, False, False)
    served.quality.judging.judge(Person(), "demo", "red", Vote(second, None, "vector", 2), voting_session())
    record_clicks(served, ABOUT, "results", positions, [Click(1, second, False), Click(2, first, True)])
    assert served.quality.judging.votes(Person(), "demo", "red", voting_session()) == {first: True}


def test_two_sessions_without_a_name_do_not_touch_each_others_thumbs(
    served: App, positions: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(iter(positions))
    record_clicks(served, ABOUT, "results", positions, [Click(1, first, True)])
    mine = voting_session()
    monkeypatch.setattr(thumbs_module.st, "session_state", {})
    assert voting_session() != mine
    record_clicks(served, ABOUT, "results", positions, [Click(1, first, False), Click(2, first, None)])
    assert served.quality.judging.votes(Person(), "demo", "red", mine) == {first: True}


def test_a_second_click_withdraws_a_thumb(served: App, positions: dict[str, int]) -> None:
    first = next(iter(positions))
    record_clicks(served, ABOUT, "results", positions, [Click(1, first, True), Click(2, first, None)])
    assert served.quality.judging.votes(Person(), "demo", "red", voting_session()) == {}


def test_a_picture_that_is_not_shown_cannot_be_judged(served: App, positions: dict[str, int]) -> None:
    record_clicks(served, ABOUT, "results", positions, [Click(1, "f" * 64, True)])
    assert served.quality.judging._judgements.latest() == []


def test_a_thumb_that_cannot_be_stored_is_reported_and_disturbs_nothing(
    served: App, positions: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    toasts: list[str] = []

    def full(*_: object, **__: object) -> None:
        raise StoreError("the disk is full: make room")

    monkeypatch.setattr(served.quality.judging, "judge", full)
    monkeypatch.setattr(thumbs_module.st, "toast", lambda text, **_: toasts.append(text))
    record_clicks(served, ABOUT, "results", positions, [Click(1, next(iter(positions)), True)])
    assert "the disk is full" in toasts[0]


def test_the_page_shows_stored_thumbs_and_starts_no_new_search(served: App) -> None:
    served.ensure_demo()
    red = served.search("red", "demo", 1).hits[0].asset.id
    ada = Person("Ada")
    served.quality.judging.judge(ada, "demo", "red", Vote(red, True, "vector", 1))
    page = visit(q="red")
    assert shown(page)["thumbs"] == {}  # of someone else
    page.session_state["person_name"] = "Ada"
    page.run()
    assert shown(page)["thumbs"] == {red: True}
    asked = page.session_state["turns"][-1].answer.id
    served.quality.judging.judge(ada, "demo", "red", Vote(red, None, "vector", 1))
    page.run()
    assert shown(page)["thumbs"] == {}
    assert page.session_state["turns"][-1].answer.id == asked


def test_thumbs_are_about_words_so_other_pictures_have_none(served: App) -> None:
    served.ensure_demo()
    answer: Answer = served.search("red", "demo")
    assert judged_answer(served, SearchParams("red"), answer) == ABOUT
    assert judged_answer(served, SearchParams("red", like="x"), answer) is None
    assert judged_answer(served, SearchParams(picture="x"), answer) is None
    assert answer_thumbs(served, None, "results", []) is None
    assert shown(visit())["thumbs"] is None
    assert shown(visit(like=answer.hits[0].asset.id))["thumbs"] is None


@pytest.mark.parametrize(("endpoint", "ranker"), [("", "gemini"), ("http://127.0.0.1:9", "stand-in")])
def test_thumbs_on_a_ranking_record_whether_gemini_made_it(served: App, endpoint: str, ranker: str) -> None:
    served.ensure_demo()
    answer = served.search("red", "demo")
    ranked = replace(answer, ranking=Ranking("ranked", ()))
    served.settings = replace(served.settings, gemini_endpoint=endpoint)
    assert judged_answer(served, SearchParams("red"), ranked) == replace(ABOUT, ranker=ranker)


def test_an_uploaded_picture_is_searched_by_and_words_refine_it(served: App) -> None:
    page = visit()
    page.file_uploader[0].set_value(("boat.png", picture("green"), "image/png")).run()
    assert not page.exception
    assert frames(page)[0]["title"] == "Green"
    assert any("boat" in m.value and "Pictures like" in m.value for m in page.markdown)
    page.text_input(key="q").set_value("blue").run()
    page.slider(key="weight").set_value(0.9).run()
    assert frames(page)[0]["title"] == "Blue"
    page.slider(key="weight").set_value(0.1).run()
    assert frames(page)[0]["title"] == "Green"
    assert [turn.params.weight for turn in page.session_state["turns"]][-1] == 0.1
    assert len(page.session_state["turns"]) == 2  # the picture, and the picture with words: no turn per weight
    next(b for b in page.button if b.label == "Clear").click().run()
    assert not any("Pictures like" in m.value for m in page.markdown)
    assert frames(page)[0]["title"] == "Blue"


def test_a_picture_can_be_pasted_with_words(served: App) -> None:
    page = visit()
    pasted = next(c for c in page.chat_input if "paste" in c.placeholder)
    pasted.set_value("red").upload("image.png", picture("blue"), "image/png").run()
    assert not page.exception
    assert page.text_input(key="q").value == "red"
    assert page.session_state["turns"][-1].params.by_picture
    assert {frames(page)[0]["title"], frames(page)[1]["title"]} == {"Red <b>sail</b>", "Blue"}


def test_a_file_that_is_no_picture_is_rejected_and_the_search_stays(served: App) -> None:
    page = visit(q="red")
    page.file_uploader[0].set_value(("notes.png", b"no picture", "image/png")).run()
    assert not page.exception
    assert "not an image" in page.warning[0].value
    assert frames(page)[0]["title"] == "Red <b>sail</b>"
    assert shown(page)["thumbs"] == {}


def test_more_like_a_result_replaces_an_uploaded_picture(served: App) -> None:
    served.ensure_demo()
    blue = served.search("blue", "demo", 1).hits[0].asset.id
    page = visit(photo=blue)
    page.file_uploader[0].set_value(("boat.png", picture("green"), "image/png")).run()
    page.query_params["photo"] = blue
    page.run()
    next(b for b in page.button if b.label == "More like this").click().run()
    assert any("Pictures like **Blue**" in m.value for m in page.markdown)
    assert "query_picture" not in page.session_state


def test_an_earlier_search_by_an_uploaded_picture_cannot_be_repeated_once_it_is_cleared(served: App) -> None:
    page = visit()
    page.file_uploader[0].set_value(("boat.png", picture("green"), "image/png")).run()
    page.text_input(key="q").set_value("red").run()
    assert [b.label for b in page.button].count("Again") == 1
    next(b for b in page.button if b.label == "Clear").click().run()
    page.text_input(key="q").set_value("blue").run()
    assert not page.exception
    assert [b.label for b in page.button].count("Again") == 1  # the search for red, which needs words alone
