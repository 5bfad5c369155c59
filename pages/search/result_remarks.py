"""What stands above the results: a corrected spelling, and how far the result can be trusted."""

from __future__ import annotations

import streamlit as st

from core.records.assets import SearchResult
from pages.search.actions import AS_TYPED, back_to_first_page
from pages.ui.format import escape_markdown


def show_correction(result: SearchResult, typed: str) -> None:
    """`Showing results for dark windmill`, and a way to what was typed."""
    if result.correction is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"Showing results for **{escape_markdown(result.correction.text)}**", width="content")
        st.button(
            f"Search for {escape_markdown(typed)} instead",
            type="tertiary",
            key="as_typed",
            on_click=search_as_typed,
        )


def search_as_typed() -> None:
    back_to_first_page()
    st.query_params[AS_TYPED] = "1"


def show_hints(result: SearchResult) -> None:
    for hint in result.hints:
        st.caption(f":material/info: {escape_markdown(hint)}")
