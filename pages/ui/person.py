"""Who uses the page, and signing in."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.access import Access, Action, Person
from core.api.connection_guard import CONNECTION_HEADER, LOCAL, VISITOR_HEADER
from core.settings import Secret

NAME_KEY, CURATOR_KEY, CONNECTION_KEY = "person_name", "person_key", "person_connection"


@dataclass(frozen=True)
class SessionConnection:
    """Where a session was connected from while its client was there. No widget of a browser can have such a value."""

    local: bool
    visitor: str = ""


def person() -> Person:
    """The person of this session: their name and key as entered, and where they connect from."""
    connection = _connection()
    return Person(
        name=str(st.session_state.get(NAME_KEY, "")),
        over_loopback=connection.local,
        key=st.session_state.get(CURATOR_KEY, Secret()),
        visitor=connection.visitor,
    )


def _connection() -> SessionConnection:
    """Where this session is connected from; decided while its client is there, and kept when it has hung up.

    Callbacks may run on after a client has gone. Who was never seen counts as remote, who was remote once stays so.
    """
    value, headers = st.session_state.get(CONNECTION_KEY), st.context.headers
    kept = value if isinstance(value, SessionConnection) else None
    stamps, visitors = headers.get_all(CONNECTION_HEADER), headers.get_all(VISITOR_HEADER)
    if not stamps:
        return kept or SessionConnection(False)
    local = stamps == [LOCAL] and (kept is None or kept.local)
    seen = SessionConnection(local, visitors[0] if len(visitors) == 1 else "")
    if seen != kept:
        st.session_state[CONNECTION_KEY] = seen
    return seen


def sign_in(access: Access) -> None:
    """Ask for a name and, where one is set, for the curator key."""
    signed_in = access.is_curator(person())
    label = person().author if st.session_state.get(NAME_KEY) else ("Curator" if signed_in else "Sign in")
    with st.popover(label, icon=":material/person:", help="Your name, as others see it beside what you change"):
        st.text_input("Your name", key=NAME_KEY, max_chars=60, persist_state="session")
        if access.asks_for_key and not signed_in:
            entered = st.text_input("Curator key", type="password", key="curator_key_entry")
            if entered:
                st.session_state[CURATOR_KEY] = Secret(entered)
                if access.is_curator(person()):
                    st.rerun()
                st.error("This is not the key.")


def explain_unless_allowed(access: Access, action: Action) -> bool:
    """Whether this person may do this; if not, explain how to become someone who may."""
    if access.role(person()) >= action.role:
        return True
    if access.sign_in is not None:
        how = "Sign in with an account that may."
    elif access.asks_for_key:
        how = "Sign in with the curator key to do so."
    else:
        how = "Open this page on the computer that serves it, or ask its owner to set a curator key."
    text = f"You can look at everything here. Only {action.role.label}s may {action.what}. {how}"
    st.info(text, icon=":material/lock_open:")
    return False
