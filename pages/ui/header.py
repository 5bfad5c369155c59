"""The top of a page about one collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.app import DEMO, App
from pages.ui.format import escape_markdown
from pages.ui.sign_in import show_person


def collection_header(app: App, title: str, on_change: Callable[[], None] | None = None) -> str:
    """Show the title, the choice of collection and who is there; return the collection.

    One that does not exist is reported, and replaced by the demo collection.
    """
    names = app.collection_names()
    requested = st.query_params.get("collection", DEMO)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title(title, anchor=False, width="content")
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            chosen = _collection_select(names, on_change)
            show_person(app)
    if requested not in names:
        text = f"There is no collection {escape_markdown(requested)} here; this is {DEMO}."
        st.warning(text, icon=":material/folder_off:")
    return chosen if chosen in names else DEMO


def _collection_select(names: Sequence[str], on_change: Callable[[], None] | None) -> str:
    return st.selectbox(
        "Collection",
        names,
        index=names.index(DEMO),
        key="collection",
        bind="query-params",
        width=190,
        label_visibility="collapsed",
        on_change=on_change,
    )
