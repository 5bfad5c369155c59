"""Who uses the page, and signing in."""

from __future__ import annotations

import ipaddress

import streamlit as st

from core.access import Access, Person
from core.settings import Secret

NAME_KEY, CURATOR_KEY = "person_name", "person_key"


def person() -> Person:
    """The person of this session: their name and key as entered, and whether they connect from this computer."""
    return Person(
        name=str(st.session_state.get(NAME_KEY, "")),
        over_loopback=_over_loopback(),
        key=st.session_state.get(CURATOR_KEY, Secret()),
    )


def _over_loopback() -> bool:
    # Behind a proxy every connection comes from the proxy's address, so a forwarded request counts as remote.
    forwarded = any(name in st.context.headers for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip"))
    return not forwarded and is_loopback(st.context.ip_address)


def is_loopback(address: str | None) -> bool:
    """Whether an address is this computer's own; Streamlit gives None for 127.0.0.1 and ::1."""
    if address is None:
        return True
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


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
