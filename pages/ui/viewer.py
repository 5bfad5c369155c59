"""One picture in large, with previous, next and full size: by buttons, keys and swiping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from core.records.assets import Asset
from pages.ui.routes import images_url
from pages.ui.streamlit_internals import uninterrupted

# So many pictures before and after the one that is shown are known to the browser.
NEIGHBOURS = 48

_HERE = Path(__file__).parent
_VIEWER = st.components.v2.component(
    "contact_sheet_viewer",
    html='<div class="viewer"></div>',
    css=(_HERE / "viewer.css").read_text(encoding="utf-8"),
    js=(_HERE / "viewer.js").read_text(encoding="utf-8"),
)


def viewer(collection: str, asset: Asset, among: Sequence[str], on_move: Callable[[str], None]) -> None:
    """Show a picture among others, by their ids in order; `on_move` is called with the id of the one moved to."""

    @uninterrupted
    def on_moved() -> None:
        moved = st.session_state["viewer"].get("moved")
        if moved in among:
            on_move(moved)

    position = among.index(asset.id)
    first = max(0, position - NEIGHBOURS)
    _VIEWER(
        key="viewer",
        data={
            "base": images_url(collection),
            "ids": list(among[first : position + NEIGHBOURS + 1]),
            "first": first + 1,
            "total": len(among),
            "current": asset.id,
            "title": asset.title,
        },
        on_moved_change=on_moved,
    )
