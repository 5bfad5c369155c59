"""What a page says where somebody else answers instead of Gemini."""

from __future__ import annotations

import streamlit as st

from core.app import App
from pages.ui.text import plain


def stand_in_notice(app: App) -> None:
    """Say whose rankings these are, where they are not Gemini's."""
    if app.settings.gemini_stand_in and app.settings.gemini_api_key:
        where = plain(app.settings.gemini_stand_in)
        st.caption(f":material/science: Rankings come from a stand-in at {where}, not from Gemini.")
