"""What a click does to the question that the page asks."""

from __future__ import annotations

import streamlit as st


def forget_results() -> None:
    """A new question starts on its first page, and no longer from a picture of the collection."""
    st.query_params.pop("like", None)
    start_over()


def start_over() -> None:
    """What is asked changes: from its first page again; a picture that is searched by stays, and words refine it."""
    for name in ("n", "photo"):
        st.query_params.pop(name, None)


def use_example() -> None:
    chosen = st.session_state.pop("example", None)
    if chosen:
        st.session_state["q"] = chosen


def forget_latest() -> None:
    """The next run asks the same question anew."""
    st.session_state["turns"] = st.session_state.get("turns", ())[:-1]
