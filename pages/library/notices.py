"""What became of something a curator did, said in the next run, with a way to undo it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from pages.ui.format import pictures, plain
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

NOTICE, CHANGED = "library_notice", "library_changed"


@dataclass(frozen=True)
class Notice:
    """One line; `removed` are pictures of `collection` that can be put back."""

    text: str
    refused: bool = False
    collection: str = ""
    removed: tuple[str, ...] = ()


def show_notice(app: App) -> None:
    """Say what happened last; it stays until something else happens."""
    notice: Notice | None = st.session_state.get(NOTICE)
    with st.container():  # always there: what stands below keeps its place
        if notice is None:
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            if notice.refused:
                st.error(plain(notice.text), icon=":material/error:")
            else:
                st.success(plain(notice.text), icon=":material/check:")
            if notice.removed:
                st.button(
                    "Undo",
                    icon=":material/undo:",
                    key="undo_removal",
                    on_click=put_back,
                    args=(app, notice.collection, notice.removed),
                )


def tell(notice: Notice) -> None:
    """Say it in the next run, and have the whole page drawn anew."""
    st.session_state[NOTICE], st.session_state[CHANGED] = notice, True


@contextmanager
def telling() -> Iterator[None]:
    """Turn what is refused into a notice, so that a callback never loses the page."""
    try:
        yield
    except ContactSheetError as error:
        tell(Notice(str(error), refused=True))


@uninterrupted
def remove(app: App, collection: str, asset_ids: Sequence[str]) -> None:
    """Take pictures out of a collection, into its bin."""
    with telling():
        count = app.removal.remove(person(), collection, asset_ids)
        what = f"{pictures(count)} removed from {collection}. The files stay where they are"
        tell(Notice(f"{what}; the bin keeps what was removed.", False, collection, tuple(asset_ids)))


@uninterrupted
def put_back(app: App, collection: str, asset_ids: Sequence[str]) -> None:
    """Put pictures of the bin back."""
    with telling():
        count = app.removal.put_back(person(), collection, asset_ids)
        tell(Notice(f"{pictures(count)} put back into {collection}."))


@uninterrupted
def carry_out(act: Callable[[], str]) -> None:
    """Do something else that writes, and tell the sentence it returns."""
    with telling():
        tell(Notice(act()))
