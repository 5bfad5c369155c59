"""Queries as text: what is written is read as the same; a part is removed, replaced or made plain words."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records.created_time import CreatedTime
from core.records.queries import PeriodCondition, Query, RatingCondition, TextCondition, Wish
from core.records.written_dates import parse_period
from core.search.query_language.parser import parse
from core.search.query_language.writer import as_typed, plain, replace_part, without_part, write
from tests.fakes.trials import trials
from tests.fakes.typed_marks import MARKS

RANDOM_TEXTS = 20_000
PIECES = st.sampled_from(
    [*MARKS, "red ", "boat ", "rating:>3 ", "-dog ", "1998-2001 ", '"old town" ', "like:0123abcd "]
)
TEXTS = st.lists(PIECES, max_size=16).map("".join) | st.text(max_size=40)
WORDS = st.text(min_size=1, max_size=20).map(lambda text: " ".join(text.split())).filter(lambda text: text.strip(" ,;"))
NAMED = WORDS.filter(lambda text: any(character.isascii() and character.isalnum() for character in text))
PERIODS = st.sampled_from(["1998", "1998-09", "1998-09-03", "1930s", "c. 1930", "1998-09-03 14:05"]).map(parse_period)
CONDITIONS = st.one_of(
    st.builds(TextCondition, NAMED, st.sampled_from(["any", "title", "place", "name", "source"]), st.booleans()),
    st.builds(lambda a, b, out: RatingCondition(min(a, b), max(a, b), out), *2 * [st.integers(1, 5)], st.booleans()),
    st.builds(PeriodCondition, PERIODS, st.none(), st.booleans()),
    st.builds(PeriodCondition, st.none(), PERIODS, st.booleans()),
    st.builds(lambda date, out: PeriodCondition(date, date, out), PERIODS, st.booleans()),
)


@given(TEXTS)
def test_what_was_read_is_written_so_that_it_is_read_again(text: str) -> None:
    query = parse(text).query
    assert parse(write(query)).query == query


def test_so_it_is_for_many_random_texts() -> None:
    chance = random.Random(4)
    for _ in range(trials(RANDOM_TEXTS, 2_000)):
        query = parse("".join(chance.choices(MARKS, k=12))).query
        assert parse(write(query)).query == query


@given(
    st.lists(
        st.builds(Wish, WORDS.map(lambda text: text.strip(" ,;")), st.sampled_from([1, -1, 2, 0.5, -0.1])), max_size=4
    ),
    st.lists(CONDITIONS, max_size=4),
    st.lists(st.text("0123456789abcdef", min_size=8, max_size=64), max_size=2),
)
def test_any_query_can_be_written(
    wishes: list[Wish], conditions: list[TextCondition | RatingCondition | PeriodCondition], like: list[str]
) -> None:
    query = Query(tuple(wishes), tuple(conditions), tuple(like), tuple(like[:1]))
    parsed = parse(write(query))
    assert (parsed.query, parsed.problems) == (query, ())


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("harbour without a red boat in 1998", 'harbour -"red boat" date:1998'),
        ("\\without a boat", "\\without \\a \\boat"),
        ('"old town" at night', 'old town at night text:"old town"'),
        ("rating:>3 before:1998 -place:Rome", "rating:>=4 until:1997 -place:Rome"),
        ("date:1998..2001", "date:1998..2001"),
    ],
)
def test_it_is_written_as_people_would(text: str, written: str) -> None:
    assert write(parse(text).query) == written


def test_a_period_keeps_its_precision() -> None:
    moment = CreatedTime(parse_period("1998-09-03 14:05:07").start, "second", 120)
    query = Query(conditions=(PeriodCondition(moment, moment),))
    assert parse(write(query)).query == query


@pytest.mark.parametrize(
    ("text", "label", "left"),
    [
        ("red boats  1998 at night", "1998", "red boats at night"),
        ('-dog  "old town"', "not dog", '"old town"'),
        ("boats rating:>3", "rating: at least 4", "boats"),
        ("boats rating:>7 here", "rating:>7", "boats here"),
        ("1998", "1998", ""),
    ],
)
def test_a_chip_is_removed_and_the_rest_unchanged(text: str, label: str, left: str) -> None:
    (part,) = [part for part in parse(text).parts if part.label == label]
    assert without_part(text, part) == left


@given(TEXTS, st.integers(0, 20))
def test_whatever_is_removed_the_other_words_stay(text: str, number: int) -> None:
    parts = parse(text).parts
    if parts:
        part = parts[number % len(parts)]
        left = without_part(text, part)
        assert left.split() == text[: part.start].split() + text[part.end :].split()


def test_a_chip_is_replaced() -> None:
    text = "boats 1998 at night"
    part = parse(text).parts[1]
    assert replace_part(text, part, "date:1999") == "boats date:1999 at night"


@pytest.mark.parametrize("text", ["harbour without a boat", "boats from the 1930s", "cats, not dogs", "September 1998"])
def test_what_was_guessed_becomes_plain_words_again(text: str) -> None:
    (part,) = [part for part in parse(text).parts if part.guessed]
    again = parse(as_typed(text, part))
    assert not [part for part in again.parts if part.guessed]
    assert again.query == Query((Wish(text),))


@given(st.text())
def test_plain_words_are_read_as_nothing_else(text: str) -> None:
    parsed = parse(plain(text))
    assert {part.kind for part in parsed.parts} <= {"words"}
    assert parsed.query.words == " ".join(text.split()).strip(" ,;")
