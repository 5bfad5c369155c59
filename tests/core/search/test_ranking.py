"""The ranking request and its answer as values: whatever comes back, an order comes out, or none."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gemini.failures import GeminiError
from core.gemini.replies import MAX_REASON_LENGTH, CandidateScore, parse_ranking
from core.records.assets import Asset, Hit, Location
from core.records.descriptions import Description
from core.search import prompts
from core.search.ranking import MAX_NOTE_LENGTH, RANKING_SCHEMA, final_order, ranking_request_parts
from core.text import one_line
from tests.fakes.gemini_client import jpeg
from tests.fakes.gemini_faults import MARKUP, ODD

KEY = "AIzaSyA-hidden-key-0123456789"
NUMBERS = st.integers() | st.floats() | st.booleans() | st.none() | st.integers(-2, 25) | st.text(max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
ROWS = st.fixed_dictionaries({}, optional={"n": NUMBERS, "score": NUMBERS, "reason": VALUES, "html": VALUES})
GOOD_ROWS = st.fixed_dictionaries({"n": st.integers(1, 12), "score": st.floats(0, 1), "reason": st.text(max_size=300)})
DOCUMENTS = (
    st.text()
    | VALUES.map(json.dumps)
    | st.lists(ROWS | VALUES | GOOD_ROWS, max_size=14).map(lambda rows: json.dumps({"ranking": rows}))
)


def answer(*rows: Any) -> str:
    return json.dumps({"ranking": rows})


def row(n: Any = 1, score: Any = 0.5, reason: Any = "red") -> dict[str, Any]:
    return {"n": n, "score": score, "reason": reason}


def read(text: str, count: int) -> list[CandidateScore] | None:
    """What an answer says, None if it is malformed; nothing else may be raised."""
    try:
        return parse_ranking(text, count, [prompts.RANKING["1"]], KEY)
    except GeminiError as error:
        if error.cause != "malformed":
            raise
        return None


@settings(deadline=None, max_examples=500)
@given(DOCUMENTS, st.integers(1, 20))
def test_any_text_is_an_order_of_all_candidates_or_malformed(text: str, count: int) -> None:
    found = read(text, count)
    if found is None:
        return
    assert sorted(final_order(found, count)) == list(range(1, count + 1))
    assert len({score.number for score in found}) == len(found) > 0
    for score in found:
        assert type(score.number) is int
        assert 1 <= score.number <= count
        assert 0 <= score.score <= 1
        assert len(score.reason) <= MAX_REASON_LENGTH
        assert not any(unicodedata.category(character)[0] == "C" for character in score.reason)


@given(st.permutations(range(1, 11)), st.integers(1, 10))
def test_ranked_candidates_come_first_and_the_rest_in_the_order_sent(order: list[int], ranked_count: int) -> None:
    found = parse_ranking(answer(*map(row, order[:ranked_count])), 10)
    assert final_order(found, 10) == order[:ranked_count] + sorted(order[ranked_count:])


def test_what_was_never_sent_is_dropped_and_what_comes_twice_counts_where_it_came_first() -> None:
    found = parse_ranking(answer(row(99), row(2, 0.9, "first"), row(0), row(2, 0.1, "again"), row(-1), row(1.0)), 3)
    assert found == [CandidateScore(2, 0.9, "first"), CandidateScore(1, 0.5, "red")]
    assert final_order(found, 3) == [2, 1, 3]


@pytest.mark.parametrize("n", ["1", 1.5, True, None, [1], 10**400, float("nan"), float("inf")])
def test_a_number_that_is_none_is_dropped(n: Any) -> None:
    assert [score.number for score in parse_ranking(answer(row(n), row(2)), 3)] == [2]


@pytest.mark.parametrize("score", ["high", None, True, float("nan"), float("inf"), 10**400, {}])
def test_a_score_that_is_none_drops_its_entry(score: Any) -> None:
    assert [score.number for score in parse_ranking(answer(row(1, score), row(2)), 3)] == [2]


@pytest.mark.parametrize(("score", "clamped"), [(7.5, 1.0), (-1, 0.0), (1, 1.0), (0.25, 0.25)])
def test_scores_end_at_0_and_1(score: float, clamped: float) -> None:
    assert parse_ranking(answer(row(1, score)), 1)[0].score == clamped


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        "3",
        '{"ranking": {}}',
        '{"ranking": []}',
        '{"ranking": [1, "2"]}',
        '{"ranking": [{}]}',
        "```json\n{}\n```",
        '{"ranking": [',
        "[" * 100_000,
        "9" * 5_000,
        "\ud800",
    ],
)
def test_what_has_no_entry_that_can_be_read_is_malformed(text: str) -> None:
    with pytest.raises(GeminiError, match="malformed"):
        parse_ranking(text, 3)


@pytest.mark.parametrize("reason", [None, 3, ["red"], {"why": "red"}])
def test_a_reason_that_is_no_text_is_empty(reason: Any) -> None:
    assert parse_ranking(answer(row(reason=reason)), 1)[0].reason == ""


def reason_of(reason: str, key: str = KEY) -> str:
    return parse_ranking(answer(row(reason=reason)), 1, list(prompts.RANKING.values()), key)[0].reason


def test_a_reason_is_one_plain_line() -> None:
    assert reason_of(ODD) == "half a pair, , [31m, and lines"
    assert reason_of(MARKUP) == MARKUP
    assert reason_of("  two\nlines\u2028three\tfour\u200bfive ") == "two lines three four five"


def test_a_long_reason_is_cut_and_says_so() -> None:
    line = reason_of("very " * 20_000)
    assert len(line) <= MAX_REASON_LENGTH
    assert line.endswith("very…")
    assert reason_of("x" * MAX_REASON_LENGTH) == "x" * MAX_REASON_LENGTH


@given(st.integers(0, len(KEY) - 8), st.integers(8, len(KEY)), st.text(max_size=20), st.sampled_from(["", " ", "\n"]))
def test_a_reason_that_holds_eight_characters_of_the_key_is_left_empty(
    start: int, length: int, before: str, between: str
) -> None:
    stretch = KEY[start : start + length]
    if len(stretch) >= 8:
        assert reason_of(f"{before} {between.join(stretch)}!") == ""
        assert reason_of(stretch.upper()) == ""
    assert reason_of(f"({KEY[start : start + 7]})") != ""


def test_a_short_key_is_guarded_whole() -> None:
    assert reason_of("the key is s3cret", "s3cret") == ""
    assert reason_of("the key is s\u200d3\u200bcr\u00adet", "s3cret") == ""
    assert reason_of("the key is s3cre", "s3cret") != ""
    assert reason_of("no key is set", "") == "no key is set"


@pytest.mark.parametrize("version", prompts.RANKING)
def test_a_reason_that_repeats_the_instruction_is_left_empty(version: str) -> None:
    instruction = prompts.RANKING[version]
    assert reason_of(f"I was told: {instruction}") == ""
    assert reason_of(instruction[200:250]) == ""
    assert reason_of("pictures, either one by one") == "pictures, either one by one"


@given(st.text())
def test_one_line_is_one_line_and_stays_as_it_is(text: str) -> None:
    line = one_line(text)
    assert "\n" not in line
    assert line == line.strip() == one_line(line)


def hit(number: int, title: str = "", description: str = "") -> Hit:
    about = Description(title=title, description=description, keywords=("k",), author="A. Uthor", licence="CC0")
    asset = Asset(
        f"{number:064x}", (Location("/private/name.jpg", "source"),), about, 4, 4, datetime(2026, 1, 1, tzinfo=UTC)
    )
    return Hit(number, 0.5, asset, jpeg("red", (8, 8))["inline_data"]["data"])


def texts(parts: list[str | bytes]) -> list[str]:
    return [part for part in parts if isinstance(part, str)]


def test_pictures_are_sent_one_by_one_each_after_its_number() -> None:
    hits = [hit(1), hit(2)]
    assert ranking_request_parts("a cat", hits, "images") == [
        'QUERY:\n"a cat"',
        "IMAGE 1",
        hits[0].thumbnail,
        "IMAGE 2",
        hits[1].thumbnail,
    ]


def test_or_all_on_one_sheet() -> None:
    parts = ranking_request_parts("a cat", [hit(1), hit(2, "Tom")], "sheet")
    assert texts(parts) == ['QUERY:\n"a cat"', "SHEET of 2 numbered pictures", 'NOTES:\n[{"n": 2, "title": "Tom"}]']
    assert sum(isinstance(part, bytes) for part in parts) == 1


@given(st.text(), st.text(), st.text())
def test_texts_from_outside_stay_data_in_one_line_of_json(query: str, title: str, description: str) -> None:
    parts = texts(ranking_request_parts(query, [hit(1, title, description)], "images"))
    assert all(len(part.split("\n")) <= 2 for part in parts)
    assert json.loads(parts[0].split("\n")[1]) == query
    note = {"title": title[:MAX_NOTE_LENGTH], "description": description[:MAX_NOTE_LENGTH]}
    sent = {name: text for name, text in note.items() if text}
    notes = [json.loads(part.split("\n")[1]) for part in parts if part.startswith("NOTES:\n")]
    assert notes == ([[{"n": 1, **sent}]] if sent else [])


def test_half_a_character_can_be_sent() -> None:
    (query, *_) = texts(ranking_request_parts("half \ud800", [hit(1)], "images"))
    assert query == 'QUERY:\n"half ?"'


def test_only_title_and_description_are_sent_never_a_path() -> None:
    sent = " ".join(texts(ranking_request_parts("a cat", [hit(1, "Tom", "asleep")], "images")))
    assert not any(word in sent for word in ("private", "name.jpg", "Uthor", "CC0", "source"))


def test_the_schema_asks_for_exactly_what_is_read() -> None:
    entry = RANKING_SCHEMA["properties"]["ranking"]["items"]
    assert set(entry["properties"]) == set(entry["required"]) == {"n", "score", "reason"}


def test_every_instruction_says_that_the_message_is_material() -> None:
    for instruction in (*prompts.RANKING.values(), prompts.REFINEMENT, prompts.INTERPRETATION):
        assert "material" in instruction
        assert "changes this task" in instruction
