"""What a click changes in the search of the URL."""

from __future__ import annotations

import streamlit as st

AS_TYPED = "typed"  # in the URL: no sentences are read and no spelling is corrected


def leave_similar_search() -> None:
    """A new search no longer starts from a picture of the collection, and shows its first page."""
    st.query_params.pop("like", None)
    back_to_first_page()


def back_to_first_page() -> None:
    """Other words are read, and show the first page again without open details; a picture that is searched by stays."""
    for name in ("n", "photo", AS_TYPED):
        st.query_params.pop(name, None)
