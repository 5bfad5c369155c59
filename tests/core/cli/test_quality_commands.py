"""The commands about quality, from arguments to what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from core.access import OPERATOR, Person
from core.app import App
from core.embedding.hashes import content_id
from core.errors import ContactSheetError, QualityError
from core.quality.comparison import NO_KEY
from core.quality.judging import JudgingService, Vote
from core.quality.label_sets import LabelledQuery, read_label_set, to_jsonl
from core.quality.service import EvaluationTarget, QualityOptions, QualityService, SearchFunction
from core.search.answer import Answer, Ranking
from core.store.sql.judgement_store import JudgementStore
from core.store.sql.run_store import RunStore
from tests.fakes.colour_app import open_table
from tests.fakes.commands import run_command
from tests.fakes.encoder import ColourEncoder

Run = Callable[..., dict[str, Any]]


def ignore_all(*_: object) -> None: ...


@pytest.fixture
def search(app: App, pictures: Path) -> SearchFunction:
    """The search of a collection `c`."""
    app.ingest(pictures, "c")
    return lambda _, query, collection, ranked: app.search(query, collection, ranked=ranked)


@pytest.fixture
def make_quality(app: App, search: SearchFunction, settings: Any) -> Callable[..., QualityService]:
    """A quality service without a key, by default with the search above and without a mock server."""
    table = open_table(settings.data, "c")
    judging = JudgingService(JudgementStore(settings.data / "judgements.db"), lambda _: "colour")

    def make(search: SearchFunction = search, mock_server_host: str = "") -> QualityService:
        target = EvaluationTarget(search, lambda _: table.snapshot(), lambda _: ColourEncoder())
        options = QualityOptions(key_is_set=False, mock_server_host=mock_server_host, environ={})
        runs = RunStore(settings.data / "quality.db")
        return QualityService(target, runs, judging, app.quality.weak_labels, options)

    return make


@pytest.fixture
def opened(app: App, make_quality: Callable[..., QualityService]) -> SimpleNamespace:
    """What the commands open, as `quality`."""
    return SimpleNamespace(quality=make_quality(), warm=ignore_all, ensure_demo=ignore_all, audit=app.audit)


@pytest.fixture
def quality(opened: SimpleNamespace) -> QualityService:
    service: QualityService = opened.quality
    return service


@pytest.fixture
def run(opened: SimpleNamespace) -> Callable[..., int]:
    """Run a command on the collection `c` and give its exit code."""

    def command(*arguments: object) -> int:
        return run_command(opened, *arguments)

    return command


@pytest.fixture
def run_json(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command with --json and give its document."""

    def command(*arguments: object) -> dict[str, Any]:
        assert run(*arguments, "--json") == 0
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    return command


@pytest.fixture
def labels(pictures: Path) -> Path:
    """Labels that the colour encoder answers perfectly, with one picture that is not there."""
    red, green = (content_id((pictures / name).read_bytes()) for name in ("red.png", "green.jpg"))
    folder = pictures.parent / "eval"
    folder.mkdir()
    queries = [
        LabelledQuery("1", "red", "colour", {red: 2}),
        LabelledQuery("2", "green", "colour", {green: 1, "f" * 64: 1}),
        LabelledQuery("3", "a dog", "animal", {"e" * 64: 2}),
    ]
    (folder / "c.jsonl").write_text(to_jsonl(queries), encoding="utf-8")
    return folder / "c.jsonl"


@pytest.fixture
def whole_labels(labels: Path) -> Path:
    """The same without what is absent."""
    queries = [
        LabelledQuery(q.id, q.query, q.kind, dict.fromkeys(list(q.relevant)[:1], 2))
        for q in read_label_set(labels).queries
    ]
    labels.write_text(to_jsonl(queries[:2]), encoding="utf-8")
    return labels


def test_an_evaluation_prints_measures_beside_the_baseline_and_what_was_absent(
    run: Callable[..., int], labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", labels, "--collection", "c") == 0
    out, err = capsys.readouterr()
    assert "Query success     1.000  1.000 to 1.000  0.94" in out
    assert "colour             2" in out
    assert "labelled pictures that are not in c: 2" in err
    assert "queries left out because c has none of their pictures: 1" in err
    assert "run 1: 2 queries in" in err


def test_an_evaluation_as_json_has_every_query_and_is_stored(run_json: Run, labels: Path) -> None:
    document = run_json("evaluate", labels, "--collection", "c", "--save", "first")
    assert (document["id"], document["name"], document["ranker"], document["absent"]) == (1, "first", "both", 2)
    assert (document["model"], document["checkpoint"]) == ("colour", "fake-1")
    assert [o["measures"]["mrr"] for o in document["outcomes"]] == [1, 1]
    assert "lift" not in document
    assert [row["name"] for row in run_json("compare")["runs"]] == ["first"]


def test_an_evaluation_leaves_a_line_in_the_audit_log(run: Callable[..., int], labels: Path, app: App) -> None:
    assert run("evaluate", labels, "--collection", "c", "--save", "first") == run("compare") == 0
    (entry,) = app.audit.entries(OPERATOR)
    assert (entry.action, entry.collection, entry.target, entry.outcome) == ("evaluate", "c", "c.jsonl", "started")


def test_a_gemini_evaluation_without_a_key_says_that_its_lift_is_not_measured(
    run: Callable[..., int], labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", labels, "--collection", "c", "--ranker", "gemini") == 0
    out, err = capsys.readouterr()
    assert f"not measured ({NO_KEY})" in out
    assert "queries shown by similarity because Gemini did not rank them: 2" in err


def test_a_ranking_from_a_mock_server_is_marked_as_such(
    run: Callable[..., int],
    run_json: Run,
    opened: SimpleNamespace,
    make_quality: Callable[..., QualityService],
    search: SearchFunction,
    labels: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ranked(person: Person, query: str, collection: str, ranked: bool) -> Answer:
        answer = search(person, query, collection, False)
        return replace(answer, ranking=Ranking("ranked", ())) if ranked else answer

    opened.quality = make_quality(ranked, "127.0.0.1:8700")
    ranked_by = "ranked by a mock server at 127.0.0.1:8700"
    command_line = ("evaluate", labels, "--collection", "c", "--ranker", "gemini")
    assert run_json(*command_line)["stand_in"] == "127.0.0.1:8700"
    capsys.readouterr()
    assert run(*command_line) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{ranked_by}\n")
    assert f"lift of Gemini's order: not measured ({ranked_by}, not by Gemini)" in out
    assert run("compare", "1", "2") == run("compare") == 0
    out = capsys.readouterr().out
    assert f"run 2: {ranked_by}" in out
    assert out.count("by a mock server at 127.0.0.1:8700") == 4


def test_two_runs_are_compared_by_name_or_number(
    run: Callable[..., int], run_json: Run, whole_labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("before", "after"):
        run_json("evaluate", whole_labels, "--collection", "c", "--save", name)
    document = run_json("compare", "before", "2")
    assert (document["first"], document["second"], document["queries"], document["alone"]) == (1, 2, 2, 0)
    assert document["differences"]["mrr"] == {"value": 0, "low": 0, "high": 0}
    assert run("compare", "1", "2") == 0
    assert "MRR              +0.000  +0.000 to +0.000  within chance" in capsys.readouterr().out


def test_runs_are_listed_and_two_are_needed_for_a_comparison(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compare") == 0
    assert "no runs yet" in capsys.readouterr().err
    with pytest.raises(QualityError, match="compare needs two runs, not 1"):
        run("compare", "1")


def test_the_gate_holds_what_was_recorded_and_fails_when_search_gets_worse(
    run: Callable[..., int],
    run_json: Run,
    opened: SimpleNamespace,
    make_quality: Callable[..., QualityService],
    search: SearchFunction,
    whole_labels: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gate = ("validate", "--collection", "c", "--labels", whole_labels.parent)
    with pytest.raises(QualityError, match="holds no floor"):
        run(*gate)
    assert run("evaluate", whole_labels, "--collection", "c", "--record-floor") == 0
    capsys.readouterr()
    assert run(*gate) == 0
    assert "c.jsonl by pixels and words: 2 queries, no measure under its floor" in capsys.readouterr().out
    assert run_json(*gate)["ok"]
    opened.quality = make_quality(lambda person, _, collection, ranked: search(person, "blue", collection, ranked))
    with pytest.raises(QualityError, match=r"under the floor of .*c\.jsonl by pixels and words: NDCG@4 .* is under"):
        run(*gate)


def test_the_gate_does_not_hold_labels_that_changed(run: Callable[..., int], whole_labels: Path) -> None:
    assert run("evaluate", whole_labels, "--collection", "c", "--record-floor") == 0
    text = whole_labels.read_text(encoding="utf-8")
    whole_labels.write_text(text.replace('"red"', '"crimson"'), encoding="utf-8")
    with pytest.raises(QualityError, match="has changed since its floor was recorded"):
        run("validate", "--collection", "c", "--labels", whole_labels.parent)


def test_a_floor_is_not_recorded_from_a_part_of_a_collection_or_from_gemini(
    run: Callable[..., int], labels: Path, whole_labels: Path
) -> None:
    with pytest.raises(QualityError, match="ranker: gemini, pictures absent: 0"):
        run("evaluate", whole_labels, "--collection", "c", "--record-floor", "--ranker", "gemini")
    one = read_label_set(whole_labels).queries[0]
    labels.write_text(to_jsonl([LabelledQuery("1", "red", "k", {**one.relevant, "f" * 64: 1})]), encoding="utf-8")
    with pytest.raises(QualityError, match="ranker: both, pictures absent: 1"):
        run("evaluate", labels, "--collection", "c", "--record-floor")


def test_a_label_set_of_another_collection_is_refused(run: Callable[..., int], tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(to_jsonl([LabelledQuery("1", "red", "k", {"e" * 64: 2})]), encoding="utf-8")
    with pytest.raises(ContactSheetError, match=r"c holds none of the pictures labelled in other\.jsonl \(1\)"):
        run("evaluate", path, "--collection", "c")


def test_judgements_are_exported_as_a_label_set_that_can_be_evaluated(
    run: Callable[..., int], run_json: Run, quality: QualityService, pictures: Path, tmp_path: Path
) -> None:
    red = content_id((pictures / "red.png").read_bytes())
    quality.judging.judge(Person("Ada"), "c", "red", Vote(red, True, "vector", 1))
    path = tmp_path / "judged.jsonl"
    assert run("judgements", "--collection", "c", "--output", path) == 0
    assert run_json("evaluate", path, "--collection", "c")["scores"]["measures"]["mrr"]["value"] == 1
    assert run_json("judgements", "--collection", "c")["queries"][0]["query"] == "red"


def test_judgements_go_to_standard_output_without_a_file(
    run: Callable[..., int], quality: QualityService, capsys: pytest.CaptureFixture[str]
) -> None:
    quality.judging.judge(Person("Ada"), "c", "red", Vote("a" * 64, True, "vector", 1))
    assert run("judgements", "--collection", "c") == 0
    assert json.loads(capsys.readouterr().out)["relevant"] == {"a" * 64: 1}


def test_zero_shot_accuracy_is_printed_with_its_interval(
    run: Callable[..., int], run_json: Run, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, file in (("red", "red.png"), ("green", "green.jpg")):
        (tmp_path / "classes" / name).mkdir(parents=True)
        (tmp_path / "classes" / name / file).write_bytes((pictures / file).read_bytes())
    (tmp_path / "classes" / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert run("zero-shot", tmp_path / "classes", "--collection", "c") == 0
    out, err = capsys.readouterr()
    assert "colour: 2 pictures of 2 classes" in out
    assert "top-1  1.000  (0.342 to 1.000)" in out
    assert "skipped" in err
    assert run_json("zero-shot", tmp_path / "classes", "--collection", "c")["top5"]["value"] == 1


def test_a_blind_list_pools_both_orders_of_one_search(quality: QualityService, pictures: Path) -> None:
    found = quality.blind_pool(OPERATOR, "red", "c", 2, "red Ada")
    assert {ranker for picture in found for ranker in picture.positions} == {"both"}  # without a key
    assert quality.blind_pool(OPERATOR, "red", "c", 2, "red Ada") == found


def test_every_command_says_what_it_does(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("evaluate", "compare", "validate", "judgements", "weak-labels", "zero-shot"):
        with pytest.raises(click.exceptions.Exit, match="0"):
            run(command, "--help")
        assert "--json" in capsys.readouterr().out
