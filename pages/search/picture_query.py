"""A picture as the query: uploaded or pasted, kept for this person as long as it is searched by, never stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.search.query_picture import FORMATS, MOST_MB, QueryPicture
from pages.search.actions import forget_results
from pages.ui.format import plain
from pages.ui.streamlit_internals import uninterrupted

CHOSEN, FAULT, TAKEN = "query_picture", "query_picture_fault", "query_pictures_taken"


@dataclass(frozen=True)
class Chosen:
    """The picture that this person searches by, and what its file is called."""

    name: str
    picture: QueryPicture


def chosen() -> Chosen | None:
    """The picture that was uploaded or pasted last, unless it was put away."""
    found: Chosen | None = st.session_state.get(CHOSEN)
    return found


def picture_box(app: App) -> None:
    """Where a picture is uploaded or pasted; it closes, and is empty again, once one was taken."""
    taken = st.session_state.get(TAKEN, 0)
    with st.popover("Picture", icon=":material/image_search:", key=f"picture_{taken}", help="Search by a picture"):
        key = f"picture_file_{taken}"
        st.file_uploader(
            "A picture to search by",
            type=FORMATS,
            max_upload_size=MOST_MB,
            key=key,
            on_change=take_uploaded,
            args=(app, key),
        )
        key = f"picture_pasted_{taken}"
        st.chat_input(
            "Or paste one here",
            accept_file=True,
            file_type=FORMATS,
            max_upload_size=MOST_MB,
            max_chars=2000,
            key=key,
            on_submit=take_pasted,
            args=(app, key),
        )
        st.caption("It is looked at and not stored. Words in the search box refine it.")
    if FAULT in st.session_state:
        st.warning(plain(st.session_state.pop(FAULT)), icon=":material/broken_image:")


@uninterrupted
def take_uploaded(app: App, key: str) -> None:
    file = st.session_state.get(key)
    if file is not None:
        take(app, file)


@uninterrupted
def take_pasted(app: App, key: str) -> None:
    sent = st.session_state.get(key)
    if sent and sent.text.strip():
        st.session_state["q"] = sent.text.strip()
    if sent and sent.files:
        take(app, sent.files[0])


def take(app: App, file: Any) -> None:
    """Search by a file from now on; where it cannot be read, say why."""
    st.session_state[TAKEN] = st.session_state.get(TAKEN, 0) + 1
    try:
        found = Chosen(file.name, app.searches.query_picture(file.getvalue()))
    except ContactSheetError as error:
        st.session_state[FAULT] = str(error)
        return
    put_away()
    st.session_state[CHOSEN] = found


def put_away() -> None:
    """Search by no picture any more, be it from outside or of the collection."""
    forget_results()
    st.session_state.pop(CHOSEN, None)
