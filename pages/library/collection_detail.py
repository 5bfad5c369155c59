"""One collection, looked after: its pictures, duplicates, bin, model and condition."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.assets import Collection
from pages.library.condition_report import show_condition
from pages.library.duplicate_groups import show_duplicates
from pages.library.notices import CHANGED, NOTICE, show_notice
from pages.library.picture_list import show_pictures
from pages.library.reembed_form import show_model
from pages.library.removed_pictures import show_bin
from pages.ui.format import plain

SECTIONS = {
    "Pictures": show_pictures,
    "Duplicates": show_duplicates,
    "Bin": show_bin,
    "Model": show_model,
    "Condition": show_condition,
}


def open_collection(name: str) -> None:
    """The next run looks after this collection."""
    st.query_params["collection"] = name
    for key in (NOTICE, "library_picked", "library_page"):
        st.session_state.pop(key, None)


def close_collection() -> None:
    for name in ("collection", "photo"):
        st.query_params.pop(name, None)
    st.session_state.pop(NOTICE, None)


def show_care(app: App, collections: Sequence[Collection]) -> None:
    """The collection in the URL, if there is one."""
    wanted = st.query_params.get("collection")
    if wanted is None:
        show_notice(app)
        return
    if wanted not in {collection.name for collection in collections}:
        show_notice(app)
        st.warning(f"There is no collection {plain(wanted)} here.", icon=":material/folder_off:")
        return
    with st.container(border=True):
        st.fragment(_care)(app, wanted)


def _care(app: App, collection: str) -> None:
    """Runs again by itself for everything done in it; all of the page where pictures came or went."""
    if st.session_state.pop(CHANGED, False):
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.subheader(plain(collection), anchor=False, width="content")
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
        st.error(plain(str(error)), icon=":material/error:")
