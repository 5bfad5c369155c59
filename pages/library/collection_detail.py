"""The open collection: its pictures, sources, duplicates, bin, model and condition."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.assets import Collection, DamagedCollection
from pages.library.condition_report import show_condition
from pages.library.duplicate_groups import show_duplicates
from pages.library.outcome_notice import CHANGED, NOTICE, show_notice
from pages.library.picture_list import PAGE_KEY, PICKED_KEY, browse_pictures
from pages.library.reembed_form import show_model
from pages.library.removed_pictures import show_bin
from pages.library.source_section import show_sources
from pages.ui.format import escape_markdown, sentence

SECTIONS = {
    "Pictures": browse_pictures,
    "Sources": show_sources,
    "Duplicates": show_duplicates,
    "Bin": show_bin,
    "Model": show_model,
    "Condition": show_condition,
}


def open_collection(name: str) -> None:
    """The next run shows this collection."""
    st.query_params["collection"] = name
    for key in (NOTICE, PICKED_KEY, PAGE_KEY):
        st.session_state.pop(key, None)


def close_collection() -> None:
    for name in ("collection", "photo"):
        st.query_params.pop(name, None)
    st.session_state.pop(NOTICE, None)


def show_open_collection(
    app: App, collections: Sequence[Collection], damaged: Sequence[DamagedCollection] = ()
) -> None:
    """The collection in the URL, if there is one."""
    name = st.query_params.get("collection")
    if name is None:
        show_notice(app)
        return
    if name not in {collection.name for collection in collections}:
        show_notice(app)
        for each in damaged:
            if each.name == name:
                st.error(escape_markdown(sentence(each.message)), icon=":material/error:")
                return
        st.warning(f"There is no collection {escape_markdown(name)} here.", icon=":material/folder_off:")
        return
    with st.container(border=True):
        st.fragment(_show_detail)(app, name)


def _show_detail(app: App, collection: str) -> None:
    """A fragment: what is done in it reruns it alone, or the whole page if pictures were added or removed."""
    if st.session_state.pop(CHANGED, False):
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.header(escape_markdown(collection), anchor=False, width="content")
        if st.button("Close", icon=":material/close:", key="close_collection", type="tertiary"):
            close_collection()
            st.rerun()
    show_notice(app)
    section = st.segmented_control(
        "Show",
        list(SECTIONS),
        key="care",
        default="Pictures",
        required=True,
        bind="query-params",
        label_visibility="collapsed",
    )
    try:
        SECTIONS[section](app, collection)
    except ContactSheetError as error:
        st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
