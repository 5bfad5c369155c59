from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pages.ui.format import escape_markdown

BREAK = ":small[]"
# What Streamlit (remark-gfm, remark-emoji and its own plugins) looks for in text whose escapes were read already.
FOUND_IN_TEXT = re.compile(
    r"https?://|www\.|\w@\w|:material/|:streamlit:|:[+-]1:|:\w+:|(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)", re.IGNORECASE
)
PARTS = ["http", "https", "www", "://", ".", ":", "@", "a.example", "-", "<", ">", "=", "~", " ", "\n", "smile", "1"]


def runs_of_text(markdown: str) -> list[str]:
    """The texts between two breaks, as they are once backslashes and character references are read."""
    texts = markdown.split(BREAK)
    return [re.sub(r"&#(\d+);|\\(.)", lambda found: found[2] or chr(int(found[1])), text) for text in texts]


@given(st.text() | st.lists(st.sampled_from(PARTS)).map("".join))
@example("see https://x.example, WWW.x.example or a@x.example")
@example(":material/home: :smile: :streamlit: :+1: :100:")
@example("a -- b -> c <-> d >= e")
def test_a_text_remains_itself_and_nothing_in_it_is_found_by_streamlit(text: str) -> None:
    runs = runs_of_text(escape_markdown(text))
    assert "".join(runs) == text
    assert [run for run in runs if FOUND_IN_TEXT.search(run)] == []


@given(st.text(alphabet=" \t\r\na#-=", max_size=12))
def test_a_text_is_one_line_of_markdown_that_begins_and_ends_without_a_space(text: str) -> None:
    markdown = escape_markdown(text)
    assert markdown == markdown.strip()
    assert len(markdown.splitlines()) <= 1


@pytest.mark.parametrize("text", ["Boats", "12:30", "nearest: Boats", "Ada", "a/b"])
def test_a_text_without_anything_to_break_is_not_broken(text: str) -> None:
    assert BREAK not in escape_markdown(text)
