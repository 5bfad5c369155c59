"""Evaluations: what is asked, measured, kept, compared, and held against a floor."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.access import OPERATOR
from core.errors import QualityError
from core.quality.comparison import NO_KEY, NOT_RECORDED, compare, lift
from core.quality.evaluation import evaluate, scores, scores_by_kind
from core.quality.floor import check_label_set, floor_from_run, read_floors, violations, write_floor
from core.quality.label_sets import LabelledQuery, LabelSet, fit_to_collection
from core.quality.mlflow_tracking import URI, log_to_mlflow
from core.quality.relevance import MEASURE_NAMES
from core.quality.run_documents import comparison_document, difference_lines, evaluation_document, lift_line
from core.quality.service import EvaluationTarget, QualityOptions, QualityService
from core.records.assets import Asset, Hit, SearchResult
from core.records.descriptions import Description
from core.records.evaluations import EvaluationRun, QueryOutcome, RankerName
from core.records.jobs import Progress
from core.search.answer import Answer, CandidateRank, Ranking, RankingOutcome, RequestCost
from core.store.sql.database import Database
from core.store.sql.migrations import QUALITY
from core.store.sql.run_store import RunStore, run_from_document, run_to_document

NOW = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
A, B, C, D = (letter * 64 for letter in "abcd")
LABELS = LabelSet(
    "pets.jsonl",
    (
        LabelledQuery("1", "dog", "animal", {A: 2}),
        LabelledQuery("2", "cat", "animal", {B: 2, C: 1}),
        LabelledQuery("3", "red", "colour", {D: 1}),
    ),
)


def answer(
    query: str, vector: Sequence[str], final: Sequence[str] = (), outcome: RankingOutcome = "ranked", usd: float = 0.0
) -> Answer:
    hits = tuple(
        Hit(rank, 0.5, Asset(asset_id, (), Description(), 1, 1, NOW), b"") for rank, asset_id in enumerate(vector, 1)
    )
    result = SearchResult("c", "v1", query, hits, len(hits), {})
    candidates = tuple(CandidateRank(i, vector.index(i) + 1, rank) for rank, i in enumerate(final, 1))
    ranking = Ranking(outcome, candidates, usd=usd) if final else None
    return Answer("x", NOW, result, {"rank": 500.0} if final else {}, RequestCost(), ranking)


def outcomes(*answers: Answer) -> tuple[QueryOutcome, ...]:
    replies = iter(answers)
    return evaluate(fit_to_collection(LABELS, {A, B, C, D}), lambda query: next(replies))[0]


VECTOR = (answer("dog", [B, A]), answer("cat", [B, C]), answer("red", [A, B, C, D]))


def run(*answers: Answer, ranker: RankerName = "vector", **changes: Any) -> EvaluationRun:
    whole = EvaluationRun(
        0, "", NOW, "bundled", "sha256:1", "c", "v1", ranker, LABELS.name, LABELS.digest, 0, 0, 1.5, outcomes(*answers)
    )
    return replace(whole, **changes)


def test_every_query_is_run_once_in_order_and_progress_is_reported() -> None:
    searched: list[str] = []
    progress: list[Progress] = []

    def ask(query: str) -> Answer:
        searched.append(query)
        return answer(query, [A])

    ticks = iter([10.0, 12.5])
    found, seconds = evaluate(fit_to_collection(LABELS, {A, B, C, D}), ask, progress.append, lambda: next(ticks))
    assert searched == ["dog", "cat", "red"]
    assert seconds == 2.5
    assert [(p.done, p.total) for p in progress] == [(1, 3), (2, 3), (3, 3)]
    assert [(o.id, o.order, o.measures["mrr"]) for o in found] == [("1", (A,), 1), ("2", (A,), 0), ("3", (A,), 0)]


def test_a_ranked_answer_is_measured_in_both_orders() -> None:
    (found, *_) = outcomes(answer("dog", [B, A], [A, B], usd=0.25), *VECTOR[1:])
    assert (found.order, found.vector_order) == ((A, B), (B, A))
    assert (found.measures["mrr"], found.vector_measures["mrr"]) == (1, 0.5)
    assert (found.ranking, found.usd, found.rank_s) == ("ranked", 0.25, 0.5)


def test_scores_are_means_with_intervals_and_stand_for_each_kind_too() -> None:
    found = scores(outcomes(*VECTOR))
    assert found.count == 3
    assert found.measures["mrr"].value == pytest.approx((0.5 + 1 + 0.25) / 3)
    assert found.measures["mrr"].low < found.measures["mrr"].value < found.measures["mrr"].high
    kinds = scores_by_kind(outcomes(*VECTOR))
    assert [(kind, s.count) for kind, s in kinds.items()] == [("animal", 2), ("colour", 1)]
    assert kinds["colour"].measures["mrr"].value == 0.25


def test_a_run_is_the_same_after_it_was_a_document() -> None:
    whole = run(*VECTOR, name="first")
    assert run_from_document(json.loads(json.dumps(run_to_document(whole)))) == whole


def test_the_document_says_measures_costs_and_the_baselines_figures() -> None:
    reported = evaluation_document(run(answer("dog", [B, A], [A, B], usd=0.25), *VECTOR[1:]), None)
    assert reported["usd"] == 0.25
    assert reported["scores"]["measures"]["precision@4"]["predecessor"] == 0.87
    assert reported["kinds"]["colour"]["queries"] == 1
    assert [outcome["query"] for outcome in reported["outcomes"]] == ["dog", "cat", "red"]
    assert "lift" not in reported


# -- runs that are kept ---------------------------------------------------------------------------------------


@pytest.fixture
def run_store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "quality.db", max_unnamed=2)


def test_a_run_is_found_by_its_number_and_by_its_name(run_store: RunStore) -> None:
    first = run_store.save(run(*VECTOR, name="before"))
    assert first.id > 0
    assert run_store.get(first.id) == run_store.get("before") == first


def test_the_oldest_unnamed_runs_go_and_named_ones_stay(run_store: RunStore) -> None:
    run_store.save(run(*VECTOR, name="stays"))
    ids = [run_store.save(run(*VECTOR)).id for _ in range(3)]
    assert [(row.id, row.name) for row in run_store.latest()] == [(ids[2], ""), (ids[1], ""), (1, "stays")]
    assert run_store.latest(1)[0].queries == 3


def test_names_are_given_once_and_unknown_runs_are_named_in_the_error(run_store: RunStore) -> None:
    run_store.save(run(*VECTOR, name="before"))
    with pytest.raises(QualityError, match="a run is named 'before' already"):
        run_store.save(run(*VECTOR, name="before"))
    with pytest.raises(QualityError, match="the limit is 80"):
        run_store.save(run(*VECTOR, name="x" * 81))
    for which in (99, "unknown", ""):
        with pytest.raises(QualityError, match=f"there is no run {which!r}"):
            run_store.get(which)


# -- comparison and lift --------------------------------------------------------------------------------------


def test_runs_are_compared_query_by_query_those_that_lost_most_first() -> None:
    better_dog = run(answer("dog", [A]), VECTOR[1], answer("red", []), id=2)
    found = compare(run(*VECTOR, id=1), better_dog)
    assert [change.first.query for change in found.changes] == ["red", "cat", "dog"]
    assert found.changes[1].difference == 0
    assert found.differences["success@4"].value == pytest.approx(-1 / 3)
    assert (found.unpaired, not found.differences["success@4"].excludes_zero) == (0, True)


def test_the_difference_is_paired_so_that_a_steady_gain_is_sure_though_queries_differ_much() -> None:
    base = run(*VECTOR)
    steady = tuple(
        replace(o, measures={name: value + 0.01 for name, value in o.measures.items()}) for o in base.outcomes
    )
    found = compare(base, replace(base, outcomes=steady)).differences["ndcg@4"]
    assert (found.low, found.high) == pytest.approx((0.01, 0.01))
    assert found.excludes_zero


def test_queries_of_one_run_alone_are_counted() -> None:
    whole = run(*VECTOR)
    assert compare(whole, replace(whole, outcomes=whole.outcomes[1:])).unpaired == 1


def test_runs_of_different_label_sets_are_not_compared() -> None:
    with pytest.raises(QualityError, match="compare runs of the same label set"):
        compare(run(*VECTOR), run(*VECTOR, digest="other"))
    with pytest.raises(QualityError, match="no query in common"):
        compare(run(*VECTOR), run(*VECTOR, outcomes=()))


def ranked_run(*answers: Answer, mock_server: str | None = "") -> EvaluationRun:
    return run(*answers, ranker="gemini", mock_server=mock_server)


def test_the_lift_is_that_of_queries_ranked_now_per_dollar_and_per_second() -> None:
    found = lift(
        ranked_run(
            answer("dog", [B, A], [A, B], usd=0.02),
            answer("cat", [C, B], [B, C], "cached"),
            answer("red", [A, D], [A, D], "fallback"),
        )
    )
    gain = 1 - 0.6309297535714575
    assert (found.queries, found.not_measured) == (1, "")
    assert found.gain is not None
    assert found.gain.value == pytest.approx(gain)
    assert (found.per_usd, found.per_s) == pytest.approx((gain / 0.02, gain / 0.5))
    assert "points per dollar" in lift_line(found)


def test_a_lift_without_a_bill_has_no_figure_per_dollar() -> None:
    found = lift(ranked_run(answer("dog", [B, A], [A, B]), *VECTOR[1:]))
    assert found.per_usd is None
    assert "not measured points per dollar" in lift_line(found)


RANKED = (answer("dog", [B, A], [A, B], usd=0.02), *VECTOR[1:])


def test_a_lift_is_geminis_own_or_not_measured() -> None:
    assert lift(ranked_run(*RANKED, mock_server="127.0.0.1:8700")).not_measured == (
        "ranked by a mock server at 127.0.0.1:8700, not by Gemini"
    )
    assert lift(ranked_run(*RANKED, mock_server=None)).not_measured == NOT_RECORDED
    assert lift(run(*VECTOR)).not_measured == "Gemini ranked no query in this run"
    without_key = lift(run(*VECTOR), key_is_set=False)
    assert lift_line(without_key) == f"lift of Gemini's order: not measured ({NO_KEY})"


def test_what_gemini_ranked_once_counts_though_no_key_is_set_any_more() -> None:
    assert lift(ranked_run(*RANKED), key_is_set=False).queries == 1


# -- who ranked -----------------------------------------------------------------------------------------------


def recorded_host(outcome: RankingOutcome, mock_server_host: str, ranker: RankerName) -> str | None:
    """The host that a run records where searches end with `outcome`, asked of a mock server if a host is given."""
    card = SimpleNamespace(name="bundled", checkpoint="sha256:1")
    nothing: Any = None
    target = EvaluationTarget(
        lambda _, query, __, ranker: answer(query, [B, A], [A, B] if ranker == "gemini" else [], outcome),
        lambda _: cast(Any, SimpleNamespace(ids=[A, B, C, D], version="v1")),
        lambda _: cast(Any, SimpleNamespace(card=card)),
    )
    options = QualityOptions(mock_server_host=mock_server_host, environ={})
    return (
        QualityService(target, nothing, nothing, nothing, options).evaluate(OPERATOR, LABELS, "c", ranker).mock_server
    )


@pytest.mark.parametrize("outcome", ["ranked", "cached"])
def test_a_run_keeps_which_host_ranked_instead_of_gemini(outcome: RankingOutcome) -> None:
    assert recorded_host(outcome, "127.0.0.1:8700", "gemini") == "127.0.0.1:8700"
    assert recorded_host(outcome, "", "gemini") == ""


def test_a_mock_server_that_ranked_nothing_is_not_named() -> None:
    assert recorded_host("fallback", "127.0.0.1:8700", "gemini") == ""
    assert recorded_host("ranked", "127.0.0.1:8700", "both") == ""


def test_documents_and_lines_say_who_ranked() -> None:
    first, second = run(*VECTOR, id=1), replace(ranked_run(*RANKED, mock_server="fake.example"), id=2)
    assert evaluation_document(second, None)["stand_in"] == "fake.example"
    found = compare(first, second)
    assert difference_lines(found)[:2] == [
        "run 1: ranked by similarity",
        "run 2: ranked by a mock server at fake.example",
    ]
    assert comparison_document(found)["rankers"] == [
        {"ranker": "vector", "stand_in": None},
        {"ranker": "gemini", "stand_in": "fake.example"},
    ]


def test_the_list_of_runs_says_who_ranked(run_store: RunStore) -> None:
    for mock_server in ("", "fake.example"):
        run_store.save(ranked_run(*RANKED, mock_server=mock_server))
    assert [row.ranked_by for row in run_store.latest()] == ["by a mock server at fake.example", "by Gemini"]


def test_runs_from_before_this_was_recorded_are_read_and_do_not_claim_gemini(tmp_path: Path) -> None:
    path, document = tmp_path / "quality.db", run_to_document(ranked_run(*RANKED))
    del document["stand_in"]
    old = Database(path, QUALITY[:1])
    with old.transaction() as db:
        db.execute(
            "INSERT INTO runs (name, at, collection, ranker, model, labels, queries, document)"
            " VALUES ('old', ?, 'c', 'gemini', 'm', 'l', 3, ?)",
            (NOW.isoformat(), json.dumps(document)),
        )
    store = RunStore(path)
    (row,), whole = store.latest(), store.get("old")
    assert row.ranked_by == whole.ranked_by == "by Gemini or a mock server (not recorded)"
    assert [o.order for o in whole.outcomes] == [o.order for o in ranked_run(*RANKED).outcomes]


# -- the floor ------------------------------------------------------------------------------------------------


def test_a_floor_is_the_lower_bound_of_the_run_that_set_it() -> None:
    whole = run(*VECTOR)
    floor, found = floor_from_run(whole), scores(whole.outcomes).measures
    assert set(floor.minimum) == set(MEASURE_NAMES)
    for name in MEASURE_NAMES:
        assert found[name].low - 1e-4 < floor.minimum[name] <= found[name].low
        assert floor.measured[name] == round(found[name].value, 4)
    assert violations(floor, whole) == []


def test_a_run_below_the_floor_is_reported_measure_by_measure() -> None:
    floor = floor_from_run(run(answer("dog", [A]), answer("cat", [B, C]), answer("red", [D])))
    faults = violations(floor, run(answer("dog", [B]), answer("cat", [A]), answer("red", [A])))
    assert "Query success 0.0000 is under 1.0000" in faults
    assert len(faults) == 5


def test_queries_that_went_missing_are_a_fault() -> None:
    whole = run(*VECTOR)
    partial = replace(whole, outcomes=whole.outcomes[1:2])
    assert "only 1 of 3 queries could be asked" in violations(floor_from_run(whole), partial)


def test_floors_are_stored_side_by_side_and_replaced_by_name(tmp_path: Path) -> None:
    path = tmp_path / "floor.json"
    first, other = floor_from_run(run(*VECTOR)), floor_from_run(run(*VECTOR, model="other"))
    assert read_floors(path) == {}
    write_floor(path, "a.jsonl", first)
    write_floor(path, "b.jsonl", first)
    write_floor(path, "a.jsonl", other)
    assert read_floors(path) == {("a.jsonl", "vector"): other, ("b.jsonl", "vector"): first}
    assert [entry.name for entry in tmp_path.iterdir()] == ["floor.json"]


@pytest.mark.parametrize("text", ["", "[]", '{"a": {}}', '{"a": 1}', "\xff"])
def test_a_damaged_floor_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "floor.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(QualityError, match="cannot be read as floors"):
        read_floors(tmp_path / "floor.json")


def test_a_floor_without_all_measures_is_refused(tmp_path: Path) -> None:
    write_floor(tmp_path / "floor.json", "a", replace(floor_from_run(run(*VECTOR)), minimum={"mrr": 0.5}))
    with pytest.raises(QualityError, match="cannot be read as floors"):
        read_floors(tmp_path / "floor.json")


def test_a_label_set_that_changed_since_needs_a_new_floor() -> None:
    floor = floor_from_run(run(*VECTOR))
    check_label_set(floor, LABELS)
    with pytest.raises(QualityError, match=r"pets.jsonl has changed since its floor was recorded"):
        check_label_set(floor, LabelSet("pets.jsonl", LABELS.queries[:2]))


# -- MLflow ---------------------------------------------------------------------------------------------------


class FakeMlflow:
    """What of MLflow's client is used, noting what it was told."""

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self.metrics: dict[str, float] = {}
        self.experiment, self.name = "", ""

    def set_experiment(self, name: str) -> None:
        self.experiment = name

    def start_run(self, run_name: str) -> FakeMlflow:
        self.name = run_name
        return self

    def __enter__(self) -> FakeMlflow:
        return self

    def __exit__(self, *_: object) -> None: ...

    def log_params(self, params: dict[str, Any]) -> None:
        self.params |= params

    def log_metrics(self, metrics: dict[str, float]) -> None:
        self.metrics |= metrics


def test_runs_go_to_mlflow_where_it_is_installed_and_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeMlflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)  # type: ignore[arg-type]
    assert log_to_mlflow(run(*VECTOR, name="n"), {URI: "http://127.0.0.1:5000"}) == "logged to MLflow"
    assert (fake.experiment, fake.name, fake.params["digest"]) == ("contact-sheet", "n", LABELS.digest)
    assert fake.params["ranked_by"] == "by similarity"
    assert fake.metrics["mrr"] == pytest.approx(0.5833, abs=1e-4)
    assert {"ndcg_at_4_low", "ndcg_at_4_high", "usd", "seconds"} <= fake.metrics.keys()


def test_without_mlflows_address_nothing_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert log_to_mlflow(run(*VECTOR), {}) == ""


def test_a_missing_mlflow_and_an_unreachable_server_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert "mlflow is not installed" in log_to_mlflow(run(*VECTOR), {URI: "http://127.0.0.1:5000"})

    def away(name: str) -> None:
        raise ConnectionError("http://user:password@host")

    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(set_experiment=away))  # type: ignore[arg-type]
    reported = log_to_mlflow(run(*VECTOR), {URI: "http://127.0.0.1:5000"})
    assert reported == "not logged: MLflow failed (ConnectionError); the run is kept here"
