"""The top of a page that is about one collection."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.app import DEMO, App
from pages.ui.format import plain
from pages.ui.person import sign_in


def collection_header(app: App, title: str, on_change: Callable[[], None] | None = None) -> str:
    """Title, the choice of collection, and who one is; the collection. One that is not there is told, and is demo."""
    names = app.collection_names()
    wanted = st.query_params.get("collection", DEMO)
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.title(title, anchor=False, width="content")
        with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
            chosen = st.selectbox(
                "Collection",
                names,
                index=names.index(DEMO),
                key="collection",
                bind="query-params",
                width=220,
                on_change=on_change,
            )
            sign_in(app.access)
    if wanted not in names:
        st.warning(f"There is no collection {plain(wanted)} here; this is {DEMO}.", icon=":material/folder_off:")
    return chosen if chosen in names else DEMO
