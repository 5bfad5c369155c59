"""Library: the collections, how pictures come into them, and how they are kept well."""

from __future__ import annotations

import streamlit as st

from core.errors import ContactSheetError
from core.records.assets import Collection
from pages.library.add_pictures import add_pictures
from pages.library.collection_detail import open_collection, show_care
from pages.library.job_list import show_jobs
from pages.ui import resources
from pages.ui.format import plain, short_model, size
from pages.ui.person import only_curators, sign_in


def main() -> None:
    app = resources.app()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Library", anchor=False, width="content")
        sign_in(app.access)
    if app.encoders.known_notice:
        st.caption(f":material/info: {app.encoders.known_notice}")
    collections = app.collections()
    show_collections(collections)
    show_care(app, collections)
    show_jobs(app)
    st.subheader("Add pictures", anchor=False)
    if only_curators(app.access, "add pictures"):
        add_pictures(app)


def show_collections(collections: list[Collection]) -> None:
    """One card per collection."""
    if not collections:
        st.info("There are no collections yet. Add pictures below to make one.", icon=":material/photo_library:")
        return
    with st.grid("auto", min_column_width=260):
        for collection in collections:
            with st.container(border=True):
                st.markdown(f"**{plain(collection.name)}**")
                st.caption(
                    f"{collection.size:,} pictures · {size(collection.bytes_on_disk)} · "
                    f"{plain(short_model(collection.model.name))}"
                    + (f" · beside {plain(collection.beside)}" if collection.beside else "")
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
    st.error(plain(str(error)), icon=":material/error:")
