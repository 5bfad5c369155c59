"""Says that a database was damaged and begun anew, on the page that shows what it holds."""

from __future__ import annotations

import streamlit as st

from core.app import App
from pages.ui.format import escape_markdown


def show_set_aside(app: App, database: str, what: str) -> None:
    """One line for the newest of them, if any is kept still; `what` is what the database holds ("requests")."""
    kept = [each for each in app.set_aside_databases() if each.name == database]
    if not kept:
        return
    newest = kept[-1]
    since = f" on {newest.moment:%-d %B %Y, %H:%M} UTC" if newest.moment else ""
    more = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
    st.caption(
        f":material/history: {what} from before are missing: {database} was damaged and begun anew{since}. What is "
        f"left of it is kept in the data folder as {escape_markdown(newest.file)}{more}; it can be deleted."
    )
