"""What Back and Forward walk through: searches, opened pictures and pages, but not what only adjusts one of them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

# Parameters of addresses that adjust what a page shows; changing them makes no new entry.
ADJUSTMENTS = ("floor", "weight", "n", "all", "t", "min")
WORDS = "q"

_HERE = Path(__file__).parent
_HISTORY = st.components.v2.component(
    "contact_sheet_history",
    css=(_HERE / "history.css").read_text(encoding="utf-8"),
    js=(_HERE / "history.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def keep_history() -> None:
    """Let the browser's history follow what a person does; it takes no room on the page."""
    with st.container(key="history"):
        _HISTORY(key="history_entries", data={"adjustments": ADJUSTMENTS, "words": WORDS})
