"""A picture as the query: uploaded or pasted, held in the session while it is searched by, never stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.search.query_picture import FORMATS, QueryPicture
from pages.search.actions import leave_similar_search
from pages.ui.format import escape_markdown
from pages.ui.streamlit_internals import uninterrupted
from pages.ui.uploads import offer_upload, release_files

CHOSEN_KEY, ERROR_KEY, COUNT_KEY = "query_picture", "query_picture_fault", "query_pictures_taken"


@dataclass(frozen=True)
class ChosenPicture:
    """The picture that this person searches by, and the name of its file."""

    name: str
    picture: QueryPicture


def chosen_picture() -> ChosenPicture | None:
    """The picture that was last uploaded or pasted, unless it was cleared."""
    chosen: ChosenPicture | None = st.session_state.get(CHOSEN_KEY)
    return chosen


def picture_input(app: App) -> None:
    """A popover to upload or paste a picture; each choice replaces it by a new one, closed and empty."""
    count = st.session_state.get(COUNT_KEY, 0)
    offer_upload(app, "query")
    with st.popover("Picture", icon=":material/image_search:", key=f"picture_{count}", help="Search by a picture"):
        key = f"picture_file_{count}"
        st.file_uploader(
            "A picture to search by",
            type=FORMATS,
            max_upload_size=app.settings.query_picture_mb,
            key=key,
            on_change=on_upload,
            args=(app, key),
        )
        key = f"picture_pasted_{count}"
        st.chat_input(
            "Or paste one here",
            accept_file=True,
            file_type=FORMATS,
            max_upload_size=app.settings.query_picture_mb,
            max_chars=2000,
            key=key,
            on_submit=on_paste,
            args=(app, key),
        )
        st.caption(
            f"At most {app.settings.query_picture_mb} MB and {app.searches.max_query_megapixels} megapixels. "
            "It is not stored. Words in the search box refine the search."
        )
    if ERROR_KEY in st.session_state:
        st.warning(escape_markdown(st.session_state.pop(ERROR_KEY)), icon=":material/broken_image:")


@uninterrupted
def on_upload(app: App, key: str) -> None:
    file = st.session_state.get(key)
    if file is not None:
        choose_picture(app, file)


@uninterrupted
def on_paste(app: App, key: str) -> None:
    message = st.session_state.get(key)
    if message and message.text.strip():
        st.session_state["q"] = message.text.strip()
    if message and message.files:
        choose_picture(app, message.files[0])


def choose_picture(app: App, file: Any) -> None:
    """Search by this file from now on; if it cannot be read, show why."""
    st.session_state[COUNT_KEY] = st.session_state.get(COUNT_KEY, 0) + 1
    try:
        chosen = ChosenPicture(file.name, app.searches.read_query_picture(file.getvalue()))
    except ContactSheetError as error:
        st.session_state[ERROR_KEY] = str(error)
        return
    finally:
        release_files(file)
    clear_picture()
    st.session_state[CHOSEN_KEY] = chosen


def clear_picture() -> None:
    """Stop searching by a picture, uploaded or of the collection."""
    leave_similar_search()
    st.session_state.pop(CHOSEN_KEY, None)
