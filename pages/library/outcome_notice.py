"""The outcome of a curator's last action, shown in the next run, with a way to undo a removal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.text import counted
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

NOTICE, CHANGED = "library_notice", "library_changed"


@dataclass(frozen=True)
class Notice:
    """One line; `removed` are pictures of `collection` that can be put back; `section` is where it is shown."""

    text: str
    refused: bool = False
    collection: str = ""
    removed: tuple[str, ...] = ()
    section: str = ""


def show_notice(app: App, section: str = "") -> None:
    """Show the last outcome if it belongs to this section; it stays until there is another."""
    notice: Notice | None = st.session_state.get(NOTICE)
    with st.container():  # always there, so that what is below keeps its position
        if notice is None or notice.section != section:
            return
        with st.container(horizontal=True, vertical_alignment="center"):
            if notice.refused:
                st.error(escape_markdown(sentence(notice.text)), icon=":material/error:")
            else:
                st.success(escape_markdown(notice.text), icon=":material/check:")
            if notice.removed:
                st.button(
                    "Undo",
                    icon=":material/undo:",
                    key="undo_removal",
                    on_click=restore_pictures,
                    args=(app, notice.collection, notice.removed, section),
                )


def notify(notice: Notice) -> None:
    """Show a notice in the next run, and have the whole page rerun."""
    st.session_state[NOTICE], st.session_state[CHANGED] = notice, True


@contextmanager
def reporting_errors(section: str = "") -> Iterator[None]:
    """Turn errors into a notice, so that an error in a callback does not replace the page."""
    try:
        yield
    except ContactSheetError as error:
        notify(Notice(str(error), refused=True, section=section))


@uninterrupted
def remove_pictures(app: App, collection: str, asset_ids: Sequence[str], section: str = "") -> None:
    """Move pictures of a collection into its bin."""
    with reporting_errors(section):
        count = app.removal.remove(person(), collection, asset_ids)
        removed = f"{counted(count, 'picture')} removed from {collection}. The files stay where they are"
        notify(Notice(f"{removed}; the bin keeps what was removed.", False, collection, tuple(asset_ids), section))


@uninterrupted
def restore_pictures(app: App, collection: str, asset_ids: Sequence[str], section: str = "") -> None:
    """Restore pictures from the bin."""
    with reporting_errors(section):
        count = app.removal.restore(person(), collection, asset_ids)
        notify(Notice(f"{counted(count, 'picture')} put back into {collection}.", section=section))


@uninterrupted
def run_and_notify(action: Callable[[], str], section: str = "") -> None:
    """Run any other action that writes, and show the sentence it returns."""
    with reporting_errors(section):
        notify(Notice(action(), section=section))
