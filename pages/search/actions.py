"""What a click changes in the search of the URL."""

from __future__ import annotations

import streamlit as st


def leave_similar_search() -> None:
    """A new search no longer starts from a picture of the collection, and shows its first page."""
    st.query_params.pop("like", None)
    back_to_first_page()


def back_to_first_page() -> None:
    """Other words show the first page again, without open details; a picture that is searched by stays."""
    for name in ("n", "photo"):
        st.query_params.pop(name, None)
