"""The Quality page: runs, comparisons, judging blind, and evaluations in the background."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.access import OPERATOR, Person
from core.app import App
from core.errors import NotAllowed, QualityError
from core.quality.blind import PooledPicture
from core.quality.judging import Vote
from core.quality.label_sets import LabelledQuery, LabelSet
from core.quality.relevance import compute_measures
from core.records.evaluations import EvaluationRun, QueryOutcome
from core.records.jobs import Progress
from core.settings import Secret
from pages.quality.evaluation_job import EvaluationRequest, EvaluationRunner, committed_label_sets, outcome_line
from pages.quality.reveal import place_captions, reveal_rows, same_order
from pages.quality.run_figures import best_possible, grade_captions, missed_ids, query_rows, run_label, worst_first
from pages.ui import person as person_module
from pages.ui import resources
from pages.ui.person import SessionConnection
from tests.pages.conftest import galleries, gallery_data, visit


@pytest.fixture
def judgeable(served: App, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """The App that pages see, with its demo collection and no evaluation yet; whoever looks sits at the computer."""
    monkeypatch.setattr(person_module, "connection_of_session", lambda: SessionConnection(True))
    served.ensure_demo()
    resources.evaluations.clear()
    yield served
    resources.evaluations.clear()


def labels(app: App) -> LabelSet:
    ids = {hit.asset.title: hit.asset.id for hit in app.search("red", "demo").hits}
    red, green, blue = (ids[name] for name in ("Red <b>sail</b>", "Green", "Blue"))
    return LabelSet(
        "three.jsonl",
        (
            LabelledQuery("1", "red *boat*", "colour", {red: 2}),
            LabelledQuery("2", "green", "colour", {green: 2, blue: 1}),
            LabelledQuery("3", "calm", "mood", {blue: 1}),
        ),
    )


def saved_run(app: App, name: str = "") -> EvaluationRun:
    return app.quality.save(app.quality.evaluate(OPERATOR, labels(app), "demo", name=name))[0]


def reversed_run(app: App, run: EvaluationRun, name: str) -> EvaluationRun:
    """The same run with every order reversed, saved."""
    reversed_outcomes = tuple(
        replace(o, order=o.order[::-1], measures=compute_measures(o.order[::-1], o.relevant)) for o in run.outcomes
    )
    return app.quality.runs.save(replace(run, id=0, name=name, outcomes=reversed_outcomes))


def text_of(page: AppTest) -> str:
    return "\n".join([element.value for element in (*page.markdown, *page.caption, *page.info, *page.success)])


def wait(evaluations: EvaluationRunner) -> Any:
    deadline = time.monotonic() + 60
    while evaluations.latest is None or not evaluations.latest.done:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return evaluations.latest


def test_an_empty_page_explains_how_to_start(judgeable: App) -> None:
    page = visit("", show="Runs")
    page.switch_page("pages/quality/page.py").run()
    assert not page.exception
    assert "Nothing has been evaluated yet" in text_of(page)
    assert "nobody judged results of demo" in text_of(page)
    assert [b.label for b in page.button if b.key != "remember_me"] == ["Evaluate demo"]


def open_quality(**params: str) -> AppTest:
    page = visit()
    page.switch_page("pages/quality/page.py")
    for name, value in params.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def test_a_run_is_shown_with_intervals_best_possible_values_and_baselines(judgeable: App) -> None:
    saved_run(judgeable, "first")
    page = open_quality()
    assert [m.label for m in page.metric] == ["Precision@4", "Recall@10", "NDCG@4", "MRR", "Query success"]
    text = text_of(page)
    assert "baseline: 0.87" in text
    assert "baseline: 94%" in text
    assert "baseline: none given" in text
    assert "not measured (GEMINI\\_API\\_KEY is not set)" in text
    assert "never published" in text
    assert page.selectbox(key="run").value.startswith("1 · three.jsonl on demo · by pixels and words")
    assert page.selectbox(key="run").value.endswith("first")


def test_the_worst_query_comes_first_and_shows_what_was_found_and_missed(judgeable: App) -> None:
    run = saved_run(judgeable)
    lost = replace(run.outcomes[0], order=(), measures=compute_measures((), run.outcomes[0].relevant))
    judgeable.quality.runs.save(replace(run, id=0, outcomes=(lost, *run.outcomes[1:])))
    page = open_quality()
    assert page.selectbox(key="query").options[0] == "1 · red *boat*"
    page.selectbox(key="query").select("1 · red *boat*").run()
    assert "Found for **red \\*boat\\***" in text_of(page)
    assert [[frame["reason"] for frame in gallery] for gallery in galleries(page)] == [[], ["exactly"]]
    page.selectbox(key="query").select("2 · green").run()
    assert [frame["reason"] for frame in galleries(page)[0]][:1] == ["exactly"]
    assert len(galleries(page)[0]) == 3
    assert "No relevant picture was missed" in text_of(page)


def test_a_link_opens_a_run_and_a_query_and_an_unknown_one_is_ignored(judgeable: App) -> None:
    first, second = saved_run(judgeable, "a"), saved_run(judgeable, "b")
    rows = {row.id: run_label(row) for row in judgeable.quality.runs.latest()}
    page = open_quality(run=rows[first.id], query="2 · green")
    assert page.selectbox(key="run").value == rows[first.id]
    assert len(galleries(page)) == 1
    page = open_quality(run="99 · gone", query="none")
    assert page.selectbox(key="run").value == rows[second.id]
    assert galleries(page) == []


def test_removed_pictures_are_counted(judgeable: App) -> None:
    run = saved_run(judgeable)
    gone = tuple(replace(o, order=("f" * 64, *o.order)) for o in run.outcomes)
    judgeable.quality.runs.save(replace(run, id=0, outcomes=gone))
    page = open_quality(query="2 · green")
    assert "1 of these pictures is no longer in demo" in text_of(page)
    judgeable.quality.runs.save(replace(run, id=0, collection="away"))
    page = open_quality(query="2 · green")
    assert "away" in text_of(page)


def test_two_runs_are_compared_query_by_query_with_the_pictures_of_both(judgeable: App) -> None:
    page = open_quality(show="Compare")
    assert "Two runs are needed" in text_of(page)
    before = saved_run(judgeable, "before")
    reversed_run(judgeable, before, "after")
    page = open_quality(show="Compare")
    assert page.selectbox(key="second").value.endswith("after")
    assert page.selectbox(key="first").value.endswith("before")
    assert page.dataframe[0].value["Measure"].iloc[0] == "Precision@4"
    losses = list(page.dataframe[1].value["Difference"])
    assert losses == sorted(losses)
    page.selectbox(key="changed").select("1 · red *boat*").run()
    first, second = galleries(page)
    assert [frame["id"] for frame in first] == [frame["id"] for frame in second][::-1]
    assert "paired bootstrap" in text_of(page)


def test_a_ranking_by_a_mock_server_is_marked_wherever_its_figures_are(judgeable: App) -> None:
    run = replace(saved_run(judgeable), id=0, ranker="gemini", mock_server="127.0.0.1:8700")
    judgeable.quality.runs.save(run)
    page = open_quality()
    who = "by a mock server at 127.0.0.1:8700"
    assert who in page.selectbox(key="run").value
    assert text_of(page).replace("\\", "").count(f"ranked {who}") == 2
    assert f"ranked {who}" in outcome_line(run)
    page = open_quality(show="Compare")
    assert f"The first is ranked by pixels and words, the second {who}." in text_of(page).replace("\\", "")


def test_a_mock_server_is_named_where_people_judge_blind(judgeable: App) -> None:
    judgeable.settings = replace(
        judgeable.settings, gemini_api_key=Secret("k"), gemini_endpoint="http://u:secret@fake.example/x"
    )
    text = text_of(open_quality(show="Judge blind")).replace("\\", "")
    assert "Rankings come from a mock server at fake.example, not from Gemini." in text
    assert "secret" not in text


def test_runs_of_other_labels_are_not_offered_for_comparison(judgeable: App) -> None:
    run = saved_run(judgeable)
    judgeable.quality.runs.save(replace(run, id=0, labels="other.jsonl", digest="x"))
    assert "No other run used this label set" in text_of(open_quality(show="Compare"))
    judgeable.quality.runs.save(replace(run, id=0, digest="y"))
    page = open_quality(show="Compare")
    assert "compare runs of the same label set" in page.error[0].value


def test_an_evaluation_of_what_people_judged_is_started_from_the_page_and_opened(judgeable: App) -> None:
    red = judgeable.search("red", "demo", 1).hits[0].asset.id
    judgeable.quality.judging.judge(Person(over_loopback=True), "demo", "red", Vote(red, True, "vector", 1))
    page = open_quality()
    assert "1 thumb, 100% up" in text_of(page)
    page.selectbox(key="labels").select("").run()
    page.text_input(key="run_name").set_value("mine").run()
    next(b for b in page.button if b.label == "Evaluate demo").click().run()
    assert not page.exception
    assert wait(resources.evaluations()).run == 1
    page.run()
    assert "Run 1 is saved: 1 query" in page.success[0].value.replace("\\", "")
    assert page.selectbox(key="run").value.endswith("mine")
    assert not open_quality().success  # another person's page does not tell of it


def test_the_error_that_ends_an_evaluation_is_shown(judgeable: App) -> None:
    evaluations = EvaluationRunner(judgeable)
    evaluations.start(OPERATOR, EvaluationRequest("demo.jsonl", "demo", "vector"))
    ended = wait(evaluations)
    assert ended.run is None
    assert "holds none of the pictures" in ended.message
    with pytest.raises(QualityError, match="nobody judged results of demo yet"):
        evaluations.start(OPERATOR, EvaluationRequest("", "demo", "vector"))


def test_one_evaluation_runs_at_a_time_and_can_be_stopped(judgeable: App, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations = EvaluationRunner(judgeable)

    def endless(*arguments: Any) -> EvaluationRun:
        while True:
            arguments[-1](Progress("evaluate", 1, 2))
            time.sleep(0.01)

    monkeypatch.setattr(judgeable.quality, "evaluate", endless)
    evaluations.start(OPERATOR, EvaluationRequest("demo.jsonl", "demo", "vector"))
    with pytest.raises(QualityError, match="an evaluation is running"):
        evaluations.start(OPERATOR, EvaluationRequest("demo.jsonl", "demo", "vector"))
    evaluations.stop(OPERATOR)
    assert wait(evaluations).message == "stopped; nothing was saved"


def test_an_unexpected_error_of_an_evaluation_is_shown(judgeable: App, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations = EvaluationRunner(judgeable)
    monkeypatch.setattr(judgeable.quality, "save", lambda run: 1 / 0)
    monkeypatch.setattr(judgeable.quality, "evaluate", lambda *_: None)
    evaluations.start(OPERATOR, EvaluationRequest("demo.jsonl", "demo", "vector"))
    assert "ZeroDivisionError" in wait(evaluations).message


def test_only_curators_start_evaluations(judgeable: App) -> None:
    judgeable.access.curator_key = Secret("k" * 20)
    page = open_quality()
    assert "Only curators may start evaluations" in text_of(page)
    assert "Evaluate demo" not in [b.label for b in page.button]
    with pytest.raises(NotAllowed, match="only curators may start evaluations"):
        resources.evaluations().start(Person(over_loopback=True), EvaluationRequest("demo.jsonl", "demo", "vector"))
    with pytest.raises(NotAllowed, match="only curators may stop evaluations"):
        resources.evaluations().stop(Person(over_loopback=True))


def test_judging_blind_shows_one_list_without_its_origin_until_the_end(judgeable: App) -> None:
    page = open_quality(show="Judge blind")
    assert "only the order by similarity is judged" in text_of(page)
    page.text_input(key="judge").set_value("red").run()
    (frames,) = galleries(page)
    assert len(frames) == 3
    assert {frame["similarity"] for frame in frames} == {""}
    assert {frame["reason"] for frame in frames} == {""}
    assert page.button(key="reveal").disabled
    for place, frame in enumerate(frames, 1):
        vote = Vote(frame["id"], place == 1, "pooled", place, blind=True)
        person = Person(over_loopback=True)
        judgeable.quality.judging.judge(person, "demo", "red", vote, page.session_state["voting_session"])
    page.run()
    assert [frame["id"] for frame in galleries(page)[0]] == [frame["id"] for frame in frames]
    page.button(key="reveal").click().run()
    assert "Both orders are the same" in text_of(page)
    assert all("by pixels and words" in frame["reason"] for frame in galleries(page)[0])
    assert gallery_data(page)[0]["thumbs"] is None


def test_blind_judgements_are_counted_per_order() -> None:
    pool = (
        PooledPicture("a", {"both": 1, "gemini": 5}),
        PooledPicture("b", {"both": 2}),
        PooledPicture("c", {"gemini": 1}),
    )
    similarity, gemini = reveal_rows(pool, {"a": True, "b": False})
    assert similarity == {
        "Order": "By pixels and words",
        "Good of its first 4": "1 of 2 judged",
        "Good of its first 10": "1 of 2 judged",
    }
    assert gemini["Good of its first 4"] == "0 of 0 judged"
    assert gemini["Good of its first 10"] == "1 of 1 judged"
    assert place_captions(pool) == {
        "a": "by pixels and words 1 · by Gemini 5",
        "b": "by pixels and words 2",
        "c": "by Gemini 1",
    }
    assert not same_order(pool)
    assert same_order((PooledPicture("a", {"both": 1, "gemini": 1}),))


def test_figures_of_a_run(judgeable: App) -> None:
    run = judgeable.quality.evaluate(OPERATOR, labels(judgeable), "demo")
    assert [o.measures["ndcg@4"] for o in worst_first(run)] == sorted(o.measures["ndcg@4"] for o in run.outcomes)
    assert best_possible(run.outcomes)["precision@4"] == pytest.approx((0.25 + 0.5 + 0.25) / 3)
    assert best_possible(run.outcomes)["ndcg@4"] == 1
    assert query_rows(run.outcomes)[1]["Relevant"] == 2
    lost = QueryOutcome("1", "q", "k", {"a": 1, "b": 2, "c": 0}, ("x",), ("x",), {}, {})
    assert missed_ids(lost) == ["b", "a"]
    assert grade_captions(["a", "x"], lost.relevant) == {"a": "partly", "x": "not relevant"}
    assert committed_label_sets() == ["demo.jsonl"]
    line = outcome_line(replace(run, id=4, absent=2, unanswerable=1))
    assert line.startswith("Run 4 is saved: 3 queries in")
    assert line.endswith("2 labelled pictures not in demo · 1 query left out for that")
