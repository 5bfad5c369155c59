"""Keys of the Search page that belong to no single picture, and the way back to its top."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

ASCENTS_KEY = "ascents"

_HERE = Path(__file__).parent
_SHORTCUTS = st.components.v2.component(
    "contact_sheet_shortcuts",
    css=(_HERE / "shortcuts.css").read_text(encoding="utf-8"),
    js=(_HERE / "shortcuts.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def hear_shortcuts(box: str) -> None:
    """Let / go to the text field that is labelled `box`; this takes no room on the page."""
    with st.container(key="shortcuts"):
        _SHORTCUTS(key="shortcut_keys", data={"label": box, "ascents": st.session_state.get(ASCENTS_KEY, 0)})


def go_to_top() -> None:
    """The next run shows the top of the page, after a search that was asked for further down."""
    st.session_state[ASCENTS_KEY] = st.session_state.get(ASCENTS_KEY, 0) + 1
