"""Shows an error in the place of what it prevented, so that the rest of a page is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from core.errors import ContactSheetError
from pages.ui.format import escape_markdown, sentence


@contextmanager
def showing_errors() -> Iterator[None]:
    """One line instead of what the body would have shown; every fragment needs it, as its errors leave it nowhere."""
    try:
        yield
    except ContactSheetError as error:
        st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
