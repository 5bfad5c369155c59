"""A button that copies the address of the page, which shows what the page shows."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_COPY_LINK = st.components.v2.component(
    "contact_sheet_copy_link",
    html="""<div class="link"><button type="button" class="copy">Copy link</button>
<input class="address" readonly hidden aria-label="Address to copy"></div>""",
    css=(_HERE / "copy_link.css").read_text(encoding="utf-8"),
    js=(_HERE / "copy_link.js").read_text(encoding="utf-8"),
)


def copy_link() -> None:
    """Copies without asking where a browser allows it, and shows the address to copy where it does not."""
    _COPY_LINK(key="copy_link", data={}, width="content")
