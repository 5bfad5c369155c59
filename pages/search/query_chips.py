"""The parts of a query as chips: each says how it was understood, and can be changed, removed or made plain words."""

from __future__ import annotations

import streamlit as st

from core.search.interpretation import Interpretation
from core.search.query_language.parts import Part
from core.search.query_language.writer import as_typed, replace_part, without_part
from core.text import one_line
from pages.search.actions import back_to_first_page
from pages.ui.format import escape_markdown

MAX_LABEL = 40
ICONS = {
    "excluded": ":material/block:",
    "period": ":material/calendar_today:",
    "rating": ":material/star:",
    "like": ":material/image_search:",
    "mistake": ":material/error:",
}


def chip_parts(read: Interpretation) -> list[Part]:
    """The parts that chips are for; none for a query that is nothing but words."""
    parts = list(read.parsed.parts)
    return parts if any(part.kind != "words" for part in parts) else []


def as_understood(read: Interpretation) -> str:
    """The parts of a query in words: `red boats · not people · like a picture`."""
    text = read.parsed.text
    return " · ".join(one_line(part.label or text[part.start : part.end]) for part in read.parsed.parts)


def show_chips(read: Interpretation) -> None:
    """A chip for each part of a query; changing one changes the text in the search box."""
    text = read.parsed.text
    for number, part in enumerate(chip_parts(read)):
        label = escape_markdown(one_line(part.label or text[part.start : part.end], MAX_LABEL))
        key = f"{number}_{part.start}_{part.end}"
        with st.popover(label, icon=ICONS.get(part.kind), key=f"chip_{key}"):
            chip_form(text, part, key)


def chip_form(text: str, part: Part, key: str) -> None:
    """What can be done with one part."""
    st.text_input(
        "Part of the query",
        text[part.start : part.end],
        key=f"chip_text_{key}",
        max_chars=300,
        on_change=change_part,
        args=(text, part, f"chip_text_{key}"),
    )
    with st.container(horizontal=True):
        st.button(
            "Remove",
            icon=":material/close:",
            key=f"chip_remove_{key}",
            on_click=search_for,
            args=(without_part(text, part),),
        )
        if part.guessed:
            st.button(
                "Search as plain words",
                key=f"chip_plain_{key}",
                on_click=search_for,
                args=(as_typed(text, part),),
                help="Looks for these words instead of reading them as a name, a date or an exclusion",
            )


def change_part(text: str, part: Part, key: str) -> None:
    search_for(replace_part(text, part, st.session_state[key].strip()).strip())


def search_for(text: str) -> None:
    """The next run searches for this text."""
    back_to_first_page()
    st.session_state["q"] = text


def show_mistakes(read: Interpretation) -> None:
    """Each mistake of a query, with its place in the text."""
    text = read.parsed.text
    for problem in read.parsed.problems:
        before, wrong, after = text[: problem.start], text[problem.start : problem.end], text[problem.end :]
        parts = [escape_markdown(one_line(part)) for part in (before, wrong, after)]
        st.warning(
            f"{parts[0]} **:red[{parts[1]}]** {parts[2]}  \n{escape_markdown(problem.sentence)}",
            icon=":material/error:",
        )
