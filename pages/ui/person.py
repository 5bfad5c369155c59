"""Who uses the page, and signing in."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from core.access import Access, Person
from core.api.connection_guard import CONNECTION_HEADER, LOCAL
from core.settings import Secret

NAME_KEY, CURATOR_KEY, CONNECTION_KEY = "person_name", "person_key", "person_connection"


def person() -> Person:
    """The person of this session: their name and key as entered, and whether they connect from this computer."""
    return Person(
        name=str(st.session_state.get(NAME_KEY, "")),
        over_loopback=_over_loopback(),
        key=st.session_state.get(CURATOR_KEY, Secret()),
    )


@dataclass(frozen=True)
class SessionConnection:
    """Where a session was connected from while its client was there. No widget of a browser can have such a value."""

    local: bool


def _over_loopback() -> bool:
    """Whether this session is one of this computer; decided while its client is there, and kept when it has hung up.

    Callbacks may run on after a client has gone. Who was never seen counts as remote, who was remote once stays so.
    """
    kept, stamps = st.session_state.get(CONNECTION_KEY), st.context.headers.get_all(CONNECTION_HEADER)
    before = kept.local if isinstance(kept, SessionConnection) else None
    if not stamps:
        return before is True
    local = stamps == [LOCAL] and before is not False
    if local is not before:
        st.session_state[CONNECTION_KEY] = SessionConnection(local)
    return local


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


def only_curators(access: Access, action: str) -> bool:
    """Whether this person is a curator; if not, explain how to become one."""
    if access.is_curator(person()):
        return True
    how = (
        "Sign in with the curator key to do so."
        if access.asks_for_key
        else "Open this page on the computer that serves it, or ask its owner to set a curator key."
    )
    st.info(f"You can look at everything here. Only curators may {action}. {how}", icon=":material/lock_open:")
    return False
