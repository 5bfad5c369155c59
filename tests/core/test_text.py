from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.text import counted, one_line

ANYTHING = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("number", "nouns", "words"),
    [
        (1, ("picture",), "1 picture"),
        (0, ("picture",), "0 pictures"),
        (25_000, ("picture",), "25,000 pictures"),
        (1, ("query", "queries"), "1 query"),
        (1_200, ("query", "queries"), "1,200 queries"),
    ],
)
def test_things_are_counted_with_their_noun(number: int, nouns: tuple[str, ...], words: str) -> None:
    assert counted(number, *nouns) == words


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("two\r\nlines\tand\vmore", "two lines and more"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("a\0b\x1b[31mc\x7fd", "a b [31mc d"),
        ("\u202egpj.exe\u202c \u2066x\u2069 \u200fy\u061c", "gpj.exe x y"),
        ("\ufeffhidden\u200btags\U000e0041", "hidden tags"),
        ("half a \ud800 pair", "half a pair"),
        ("in\u00advisible", "invisible"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
        ("\u0645\u06cc\u200c\u0631\u0648\u0645", "\u0645\u06cc\u200c\u0631\u0648\u0645"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f flag", "\U0001f3f4\U000e0067\U000e0062\U000e007f flag"),
        (" \u200d \u200c ", ""),
        ("Größe 好 é", "Größe 好 é"),
    ],
)
def test_hostile_text_becomes_one_line_and_readable_text_stays(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize(
    ("max_length", "line"), [(13, "one two three"), (12, "one two thr…"), (9, "one two…"), (1, "…")]
)
def test_what_is_too_long_ends_with_an_ellipsis(max_length: int, line: str) -> None:
    assert one_line("one  two\nthree", max_length) == line


@given(ANYTHING, st.integers(1, 40))
def test_a_line_can_be_stored_shown_and_made_safe_again(text: str, max_length: int) -> None:
    line = one_line(text, max_length)
    assert len(line) <= max_length
    assert line.splitlines() in ([], [line])
    line.encode()
    assert {unicodedata.category(c) for c in line} & {"Cc", "Cs"} == set()
    assert one_line(line, max_length) == line
