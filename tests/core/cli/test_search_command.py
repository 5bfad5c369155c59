"""`search` as people type it: dashes, sentences, mistakes, values that do not exist, and nothing found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.app import App
from core.cli import command_context
from core.cli import main as cli
from core.cli.query_reading import pointed_at
from core.search.query_language.parser import parse

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    app: App, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Search a collection with three pictures, some of them named and dated."""
    monkeypatch.setattr(command_context, "_open_app", lambda: app)
    captions = tmp_path / "captions.csv"
    captions.write_text("file,people,city,date,rating\nred.png,Ada,Lisbon,2004-05-01,4\ngreen.jpg,Bob,Porto,1998,\n")
    app.ingest(pictures, "c", captions=captions)

    def search(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["search", "--collection", "c", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return search


def understood(run: Run, *arguments: str) -> list[str]:
    """What the JSON document says of each part of the query."""
    code, out, _ = run("--json", *arguments)
    assert code == 0
    return [part["label"] for part in json.loads(out)["understood"]["parts"]]


@pytest.mark.parametrize(
    "arguments",
    [("-boat red",), ("--top", "3", "-boat red"), ("-boat red", "--top", "3"), ("--floor", "-1", "--", "-boat red")],
)
def test_a_query_may_begin_with_a_dash(run: Run, arguments: tuple[str, ...]) -> None:
    assert understood(run, *arguments) == ["not boat", "red"]


def test_what_begins_like_an_option_may_be_a_query(run: Run) -> None:
    assert understood(run, "-horse") == ["not horse"]
    assert understood(run, "-1998 red") == ["not 1998", "red"]
    assert understood(run, '-"two words" red') == ["not two words", "red"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("red", "--tip", "3"), "No such option '--tip'"),
        (("red", "-x"), "No such option '-x'"),
        (("red", "-boat"), "Got unexpected extra argument (-boat)"),
        (("red", "--top"), "Option '--top' requires an argument"),
        (("red", "--top", "-boat"), "Invalid value for '--top'"),
        ((), "Missing argument 'QUERY'"),
    ],
)
def test_wrong_usage_is_still_wrong(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["search", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_help_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "-h"]) == 0
    assert "--as-typed" in capsys.readouterr().out


def test_what_is_guessed_is_said_and_can_be_turned_off(run: Run) -> None:
    code, out, error = run("red boats in Lisbon 2004")
    assert (code, error) == (0, "read as: red boats · place: Lisbon · 2004 (--as-typed: as plain words)\n")
    assert out
    assert "read as" not in run("red boats in Lisbon 2004", "--as-typed")[2]
    assert understood(run, "red boats in Lisbon 2004", "--as-typed") == ["red boats in Lisbon 2004"]
    assert "read as" not in run("red place:Lisbon -dog")[2]


def test_the_document_says_what_was_typed_and_what_was_understood(run: Run) -> None:
    document = json.loads(run("red  without dogs rating:>3", "--json")[1])
    assert document["query"] == "red without dogs rating:>3"
    assert document["understood"] == {
        "text": "red without dogs rating:>3",
        "by": "rule",
        "parts": [
            {"text": "red", "kind": "words", "label": "red", "guessed": False},
            {"text": "without dogs", "kind": "excluded", "label": "not dogs", "guessed": True},
            {"text": "rating:>3", "kind": "rating", "label": "rating: at least 4", "guessed": False},
        ],
    }


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("red", ["red.png", "blue.webp", "green.jpg"]),
        ("red person:Bob", ["green.jpg"]),
        ("red -place:Lisbon", ["blue.webp", "green.jpg"]),
        ("rating:>3", ["red.png"]),
        ("photos of Ada", ["red.png"]),
        ("red in 1998", ["green.jpg"]),
        ("red -name:red", ["blue.webp", "green.jpg"]),
    ],
)
def test_results_meet_every_condition(run: Run, query: str, titles: list[str]) -> None:
    results = json.loads(run("--json", query)[1])["results"]
    assert sorted(result["title"] for result in results) == sorted(titles)


def test_what_is_excluded_is_not_found(run: Run) -> None:
    results = json.loads(run("--json", "-red")[1])["results"]
    assert "red.png" not in [result["title"] for result in results]


def test_a_misspelt_word_is_corrected_unless_the_query_is_as_typed(run: Run) -> None:
    assert run("lisbom")[2] == "searched for lisbon instead of lisbom (--as-typed: as typed)\n"
    assert "instead of" not in run("lisbom", "--as-typed")[2]


def test_a_script_that_the_model_may_not_know_is_hinted_at(run: Run) -> None:
    assert "may not know Chinese characters" in run("猫")[2]


def test_a_mistake_is_pointed_at(run: Run) -> None:
    code, out, error = run("red boats rating:>7 at night")
    assert (code, out) == (1, "")
    assert error.splitlines() == [
        "  red boats rating:>7 at night",
        "            ^^^^^^^^^",
        "error: rating:>7 at character 11: ratings go from 1 to 5",
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("red person:Adda", "error: c has no person ‘Adda’ (did you mean Ada?): check the spelling\n"),
        ("red -place:Lisbon camera:nikon", "error: c has no camera ‘nikon’: check the spelling\n"),
        ("red keyword:dgo", "error: c has no keyword ‘dgo’: check the spelling\n"),
        ("x" * 2_001, "error: the query has 2001 characters, the limit is 2000: shorten it\n"),
        (" ", "error: the query is empty: write what the picture should show\n"),
    ],
)
def test_what_cannot_be_found_is_named(run: Run, query: str, message: str) -> None:
    assert run(query) == (1, "", message)


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("red", "--floor", "1"), "nothing found: lower --floor\n"),
        (("red", "--since", "2020"), "nothing found: loosen the filters\n"),
        (("red rating:1 person:Ada", "--floor", "1"), "leave out one of rating: 1 and person: Ada or lower --floor\n"),
    ],
)
def test_an_empty_result_is_no_failure_and_says_what_to_loosen(
    run: Run, arguments: tuple[str, ...], advice: str
) -> None:
    code, out, error = run(*arguments)
    assert (code, out) == (0, "")
    assert error.endswith(advice)
    code, out, error = run(*arguments, "--json")
    assert (code, json.loads(out)["results"]) == (0, [])
    assert error.endswith(advice)


@given(st.text(max_size=300), st.sampled_from(["rating:>7", "date:soon", '"open', "title:"]))
def test_the_marks_are_under_the_mistake_whatever_stands_before_it(before: str, mistake: str) -> None:
    text = " ".join(f"{before} {mistake}".split())
    for problem in parse(text).problems:
        shown, marks = pointed_at(text, problem)
        assert len(shown) <= 102
        assert shown.isprintable()
        if shown.isascii():
            first = marks.index("^")
            assert shown[first : first + marks.count("^")].startswith(text[problem.start : problem.end][:9].strip())


def test_the_marks_allow_for_wide_characters() -> None:
    text = "猫猫 rating:9"
    (problem,) = parse(text).problems
    assert pointed_at(text, problem) == ("  猫猫 rating:9", "       ^^^^^^^^")
