"""The sessions of all browsers, for admins: who is signed in, and ending that."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.sessions import BrowserSession
from core.sessions import session_owner
from pages.metrics.alert_list import time_ago
from pages.ui.format import escape_markdown
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted

SESSION_SECTION = "Sessions"
MAX_SHOWN = 100


def show_sessions(app: App) -> None:
    """Every browser that is signed in, or that remembers a name or the key; those seen last come first."""
    sessions, own = app.sessions.live(person()), person().session
    if app.access.sign_in is None:
        st.caption("Browsers that remember a name, and those that remember the curator key.")
    if not sessions:
        st.caption("No browser is signed in." if app.access.sign_in else "No browser remembers anyone.")
        return
    for session in sessions[:MAX_SHOWN]:
        show_session(app, session, session.id == own)
    if len(sessions) > MAX_SHOWN:
        st.caption(f"And {len(sessions) - MAX_SHOWN} more, seen longer ago: `python -m core sessions` lists them all.")


def show_session(app: App, session: BrowserSession, own: bool) -> None:
    """Who it is and where, and the button that ends it."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        shown = app.access.sign_in is not None or app.access.asks_for_key
        standing = f" · {app.sessions.standing(session)}" if shown else ""
        badge = " :gray-badge[this browser]" if own else ""
        st.markdown(
            f"**{escape_markdown(session_owner(session))}**{standing}{badge}  \n"
            f":small[{escape_markdown(where_and_when(session, datetime.now(UTC)))}]"
        )
        st.button(
            "End session",
            key=f"end_{session.id}",
            icon=":material/logout:",
            help=f"End the session of {escape_markdown(session_owner(session))}",
            on_click=end_session,
            args=(app, session.id),
        )


def where_and_when(session: BrowserSession, now: datetime) -> str:
    """`Firefox on Linux, from 192.168.1.7 · since 3 May, 14:02 · seen 0:17 ago`."""
    place = f"{session.browser}, from {session.visitor}" if session.visitor else session.browser
    return f"{place} · since {session.created_at:%-d %B, %H:%M} UTC · seen {time_ago(session.seen_at, now)}"


@uninterrupted
def end_session(app: App, session: str) -> None:
    try:
        app.sessions.revoke(person(), session)
    except ContactSheetError as error:
        st.toast(escape_markdown(str(error)), icon=":material/error:")
