"""What people type, and what is read: marks, sentences, mistakes; any text at all gives parts in order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records.queries import PeriodCondition, Query, RatingCondition, TextCondition, Wish
from core.search.query_language.parser import parse
from core.search.query_language.parts import ParsedQuery
from tests.fakes.trials import trials
from tests.fakes.typed_marks import MARKS

YEAR = 2026
RANDOM_TEXTS = 100_000


def read(text: str) -> ParsedQuery:
    return parse(text, this_year=YEAR)


def wishes(text: str) -> list[tuple[str, float]]:
    return [(wish.text, wish.weight) for wish in read(text).query.wishes]


def labels(text: str) -> list[str]:
    return [part.label for part in read(text).parts]


def taken(text: str) -> str:
    """The one period that a text asks for, as `since..until`."""
    (condition,) = read(text).query.conditions
    assert isinstance(condition, PeriodCondition)
    return f"{'-' * condition.excluded}{condition.since or ''}..{condition.until or ''}"


@pytest.mark.parametrize(
    "text",
    [
        "red boats",
        "not far from the sea",
        "not only boats",
        "no entry sign",
        "save the date: a wedding",
        "do not enter sign",
        "to be or not to be",
        "not for sale",
        "not",
        "forget me not",
        "this and that",
        "no",
        "without",
        "a day without.",
        "T-shirt",
        "black-and-white",
        "well-known",
        "a - b",
        "-",
        "--",
        "-5 degrees",
        "http://example.org/x",
        "foo:bar",
        "Note: this",
        "DSC_2004",
        "DSC_0004.jpg",
        "route 1998",
        "IMG 2004",
        "2000 m race",
        "1799",
        "2028",
        "3*4 grid",
        "don't",
        'a 5"x7" print',
        "C:\\photos\\1998",
        "555-1998-2001",
        "猫",
        "the 9/11/2001 memorial",
    ],
)
def test_ordinary_words_stay_words(text: str) -> None:
    assert read(text).query == Query((Wish(" ".join(text.split())),))
    assert read(text).problems == ()


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ('"exact words"', Query((Wish("exact words"),), (TextCondition("exact words"),))),
        ("“exact words”", Query((Wish("exact words"),), (TextCondition("exact words"),))),
        ("„genau das“", Query((Wish("genau das"),), (TextCondition("genau das"),))),
        ("«mot juste»", Query((Wish("mot juste"),), (TextCondition("mot juste"),))),
        ('"say \\"hi\\" \\\\ there"', Query((Wish('say "hi" \\ there'),), (TextCondition('say "hi" \\ there'),))),
        ('old "red boat" here', Query((Wish("old red boat here"),), (TextCondition("red boat"),))),
        ("title:gnu", Query(conditions=(TextCondition("gnu", "title"),))),
        ("TITLE：gnu", Query(conditions=(TextCondition("gnu", "title"),))),
        ("title: gnu, herd", Query((Wish("herd"),), (TextCondition("gnu", "title"),))),
        ('place:"New York"', Query(conditions=(TextCondition("New York", "place"),))),
        ("-camera:nikon", Query(conditions=(TextCondition("nikon", "camera", excluded=True),))),
        ("text:boat", Query(conditions=(TextCondition("boat", "any"),))),
        ("name:DSC_0004.jpg", Query(conditions=(TextCondition("DSC_0004.jpg", "name"),))),
        ("rating: >3", Query(conditions=(RatingCondition(4, 5),))),
        ("rating:5", Query(conditions=(RatingCondition(5, 5),))),
        ("rating:>3", Query(conditions=(RatingCondition(4, 5),))),
        ("rating:>=3", Query(conditions=(RatingCondition(3, 5),))),
        ("rating:≥3", Query(conditions=(RatingCondition(3, 5),))),
        ("rating:<3", Query(conditions=(RatingCondition(-1, 2),))),
        ("-rating:2-4", Query(conditions=(RatingCondition(2, 4, excluded=True),))),
        ("like:0123ABCD", Query(like=("0123abcd",))),
        ("-like:0123abcd", Query(unlike=("0123abcd",))),
        ("2*dog", Query((Wish("dog", 2.0),))),
        ('0.5*"red boat"', Query((Wish("red boat", 0.5),))),
        ("-2*dog", Query((Wish("dog", -2.0),))),
        ("red 2*dog boat", Query((Wish("red"), Wish("dog", 2.0), Wish("boat")))),
        ("-boat", Query((Wish("boat", -1.0),))),
        ('-"two words"', Query((Wish("two words", -1.0),))),
        ("\\-boat \\1998 \\title:gnu \\without a boat", Query((Wish("-boat 1998 title:gnu without a boat"),))),
        ("\\\\boat", Query((Wish("\\boat"),))),
    ],
)
def test_terms_with_marks(text: str, query: Query) -> None:
    assert read(text).query == query
    assert read(text).problems == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("harbour without a boat", [("harbour", 1), ("boat", -1)]),
        ("harbour at night, and without a boat", [("harbour at night", 1), ("boat", -1)]),
        ("a dog and not a cat", [("a dog", 1), ("cat", -1)]),
        ("harbour but no boats at night", [("harbour at night", 1), ("boats", -1)]),
        ("a beach, no people", [("a beach", 1), ("people", -1)]),
        ("a beach with no people or dogs", [("a beach", 1), ("people", -1), ("dogs", -1)]),
        ("not a dog", [("dog", -1)]),
        ("cats, not dogs", [("cats", 1), ("dogs", -1)]),
        ("animals except for the cats", [("animals", 1), ("cats", -1)]),
        ("car that is not red", [("car", 1), ("red", -1)]),
        ("flower but not red", [("flower", 1), ("red", -1)]),
        ("ducks which have no feathers", [("ducks", 1), ("feathers", -1)]),
        ("pyramid not in Egypt", [("pyramid", 1), ("Egypt", -1)]),
        ("bird not flying", [("bird", 1), ("flying", -1)]),
        ("a gate but without a fence", [("a gate", 1), ("fence", -1)]),
        ("corn without its leaves", [("corn", 1), ("leaves", -1)]),
        ("without a view of the sea", [("view of the sea", -1)]),
        ("without clouds the mountain", [("clouds", -1), ("the mountain", 1)]),
        ("a house but not far from the sea", [("a house but not far from the sea", 1)]),
        ("without people and at night", [("people", -1), ("and at night", 1)]),
        ("street -cars at night", [("street at night", 1), ("cars", -1)]),
    ],
)
def test_what_a_sentence_excludes(text: str, expected: list[tuple[str, float]]) -> None:
    assert wishes(text) == expected


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("1998", "1998..1998"),
        ("in 1998", "1998..1998"),
        ("1998-2001", "1998..2001"),
        ("1998–2001", "1998..2001"),
        ("1998-99", "1998..1999"),
        ("1998 to 2001", "1998..2001"),
        ("between 1998 and 2001", "1998..2001"),
        ("from 1998 until 2001", "1998..2001"),
        ("1998-09", "1998-09..1998-09"),
        ("1998-09-03", "1998-09-03..1998-09-03"),
        ("03.09.1998", "1998-09-03..1998-09-03"),
        ("September 1998", "1998-09..1998-09"),
        ("Sept. 1998", "1998-09..1998-09"),
        ("3rd of September 1998", "1998-09-03..1998-09-03"),
        ("September 3, 1998", "1998-09-03..1998-09-03"),
        ("from the 1930s", "1930s..1930s"),
        ("before 1998", "..1997"),
        ("after 1998", "1999.."),
        ("since 1998", "1998.."),
        ("until September 1998", "..1998-09"),
        ("date:1998", "1998..1998"),
        ("date:1066", "1066..1066"),
        ("date:September 1998", "1998-09..1998-09"),
        ('date:"3 September 1998"', "1998-09-03..1998-09-03"),
        ("date:1998-09..2001", "1998-09..2001"),
        ("before:1998", "..1997"),
        ("before:1930s", "..1920s"),
        ("after:1998-12", "1999-01.."),
        ("-1998", "-1998..1998"),
        ("not from 1998", "-1998..1998"),
        ("except 1998", "-1998..1998"),
        ("-date:1998-2001", "-1998..2001"),
        ("2027", "2027..2027"),
    ],
)
def test_periods(text: str, period: str) -> None:
    assert taken(text) == period
    assert wishes(text) == []


def test_a_date_among_words_is_taken_out_of_them() -> None:
    parsed = read("boats in September 1998, at night")
    assert parsed.query.wishes == (Wish("boats at night"),)
    assert [(part.kind, part.label, part.guessed) for part in parsed.parts] == [
        ("words", "boats", False),
        ("period", "1998-09", True),
        ("words", "at night", False),
    ]


def test_words_that_say_nothing_are_no_wish_beside_other_parts() -> None:
    assert read("photos from 1998").query.wishes == ()
    assert read("pictures without people").query.wishes == (Wish("people", -1.0),)
    assert read("show me photos like:0123abcd").query.wishes == ()
    assert read("photos").query.wishes == (Wish("photos"),)
    assert read("old photos from 1998").query.wishes == (Wish("old photos"),)
    assert read("\\photos 1998").query.wishes == (Wish("photos"),)


def test_chips_say_what_was_understood() -> None:
    marked = 'red "old boat" -dog title:gnu -place:Rome rating:>3 rating:2-4'
    assert labels(f"{marked} 1998-2001 since:1998 before:1998 like:0123abcd 2*cat") == [
        "red",
        '"old boat"',
        "not dog",
        "title: gnu",
        "not place: Rome",
        "rating: at least 4",
        "rating: 2 – 4",
        "1998 – 2001",
        "since 1998",
        "before 1998",
        "like a picture",
        "2 × cat",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("red boats rating:>7", "rating:>7 at character 11: ratings go from 1 to 5"),
        ("rating:good", "rating:good at character 1: write it like rating:5, rating:>=3 or rating:3-5"),
        ("rating:5-3", "rating:5-3 at character 1: swap the two: rating:3-5"),
        ("rating:>5", "rating:>5 at character 1: no rating is above 5"),
        ("title:", 'title: at character 1: write after it what to find: title:word or title:"two words"'),
        ("place: title:x", 'place: at character 1: write after it what to find: place:word or place:"two words"'),
        ("date:soon", "date:soon at character 1: write a date like 1998"),
        ('date:"1998 boats"', 'date:"1998 boats" at character 1: write a date like 1998'),
        ("date:2001-1998", "date:2001-1998 at character 1: no time lies between 2001 and 1998: swap the two"),
        ("like:dog", "like:dog at character 1: write the id of a picture"),
        ("100*dog", "100*dog at character 1: weights go from 0.1 to 10"),
        ('old "red boat', '"red boat at character 5: this quotation mark has no partner'),
    ],
)
def test_a_mistake_points_at_its_place_and_asks_for_nothing(text: str, sentence: str) -> None:
    parsed = read(text)
    (found,) = parsed.problems
    assert found.sentence.startswith(sentence)
    (mistake,) = [part for part in parsed.parts if part.kind == "mistake"]
    assert (mistake.start, mistake.end, mistake.query) == (found.start, found.end, Query())


def test_as_typed_reads_marks_but_no_sentences() -> None:
    assert parse("boats without people in 1998", as_typed=True).query == Query((Wish("boats without people in 1998"),))
    assert parse("boats -people rating:5", as_typed=True).query == Query(
        (Wish("boats"), Wish("people", -1.0)), (RatingCondition(5, 5),)
    )


def random_text(chance: random.Random) -> str:
    if chance.random() < 0.5:
        return "".join(chance.choices(MARKS, k=chance.randint(0, 24)))
    return "".join(chr(chance.randrange(0x110000)) for _ in range(chance.randint(0, 24)))


def check_spans(parsed: ParsedQuery) -> None:
    """Parts are in order and lie apart; only blanks lie between them."""
    end = 0
    for part in parsed.parts:
        assert end <= part.start < part.end
        assert not parsed.text[end : part.start].strip()
        end = part.end
    assert not parsed.text[end:].strip()


def test_no_text_is_refused_and_its_parts_cover_it() -> None:
    chance = random.Random(17)
    for _ in range(trials(RANDOM_TEXTS, 10_000)):
        text = random_text(chance)
        parsed = read(text)
        check_spans(parsed)
        mistakes = [(part.start, part.end) for part in parsed.parts if part.kind == "mistake"]
        assert mistakes == [(found.start, found.end) for found in parsed.problems]
        assert all(wish.text.strip() == wish.text != "" for wish in parsed.query.wishes), text


@given(st.text(), st.text())
def test_no_text_is_refused_as_typed_either(text: str, other: str) -> None:
    check_spans(parse(f"{text} {other}", as_typed=True))


PIECES = ['"', '"x"', 'title:"a"', '\\"', "\\", "without a ", "1998 ", "may ", "-", "title:", "2*", "a,no b or ", "„x"]


@pytest.mark.parametrize("piece", PIECES)
def test_the_longest_text_of_one_mark_is_read_to_its_end(piece: str) -> None:
    text = piece * (2_000 // len(piece))
    check_spans(parse(text))


@pytest.mark.parametrize("text", ["1998", "1998-09", "1998-09-03", "1930s"])
def test_before_and_after_meet_the_period_between_them(text: str) -> None:
    (whole,), (before,), (after,) = (read(f"{field}:{text}").query.conditions for field in ("date", "before", "after"))
    assert isinstance(whole, PeriodCondition)
    assert isinstance(before, PeriodCondition)
    assert isinstance(after, PeriodCondition)
    assert whole.since is not None
    assert before.until is not None
    assert after.since is not None
    assert (before.until.end, after.since.start) == (whole.since.start, whole.since.end)
