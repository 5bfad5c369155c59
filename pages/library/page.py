"""Library: the collections, their maintenance, and adding pictures."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.access import Action
from core.errors import ContactSheetError
from core.records.assets import Collection
from core.text import counted, format_bytes
from pages.library.add_pictures import show_add_pictures
from pages.library.collection_detail import open_collection, show_open_collection
from pages.library.job_list import show_jobs
from pages.ui import resources
from pages.ui.format import escape_markdown, model_label, sentence
from pages.ui.person import explain_unless_allowed
from pages.ui.sign_in import show_person
from pages.ui.uploads import withdraw_upload


def main() -> None:
    app = resources.app()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Library", anchor=False, width="content")
        show_person(app)
    if app.encoders.known_notice:
        st.caption(f":material/info: {escape_markdown(app.encoders.known_notice)}")
    collections = app.collections()
    show_collection_cards(collections)
    show_open_collection(app, collections)
    show_jobs(app)
    st.subheader("Add pictures", anchor=False)
    if explain_unless_allowed(app.access, Action.ADD_PICTURES):
        show_add_pictures(app)
    else:
        withdraw_upload(app, "collection")


def show_collection_cards(collections: Sequence[Collection]) -> None:
    """A card per collection."""
    if not collections:
        st.info("There are no collections yet. Add pictures below to make one.", icon=":material/photo_library:")
        return
    with st.grid("auto", min_column_width=260):
        for collection in collections:
            with st.container(border=True):
                show_collection_card(collection)


def show_collection_card(collection: Collection) -> None:
    st.markdown(f"**{escape_markdown(collection.name)}**")
    sibling = f" · beside {escape_markdown(collection.sibling_of)}" if collection.sibling_of else ""
    st.caption(
        f"{counted(collection.size, 'picture')} · {format_bytes(collection.bytes_on_disk)} · "
        f"{escape_markdown(model_label(collection.model.name))}{sibling}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/search/page.py",
            label="Search",
            icon=":material/search:",
            width="content",
            query_params={"collection": collection.name},
        )
        st.button(
            "Open",
            key=f"open_{collection.name}",
            icon=":material/folder_open:",
            type="tertiary",
            on_click=open_collection,
            args=(collection.name,),
            help="Its pictures, duplicates, bin, model and condition",
        )


try:
    main()
except ContactSheetError as error:
    st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
