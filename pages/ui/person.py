"""Who uses the page, and whether they may do something; signing in and out is in sign_in.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from core.access import Access, Action, Person, Role
from core.api.connection_guard import CONNECTION_HEADER, LOCAL, VISITOR_HEADER
from core.api.session_guard import SESSION_HEADER
from core.errors import StoreError
from core.records.sessions import Account
from core.settings import Secret
from pages.ui import resources

NAME_KEY, CURATOR_KEY, CONNECTION_KEY = "person_name", "person_key", "person_connection"


@dataclass(frozen=True)
class SessionConnection:
    """Where a session was connected from while its client was there. No widget of a browser can have such a value.

    `stamp` is what the server wrote on the `handshake` about the browser's session: its id, and whether it has the key.
    """

    local: bool
    visitor: str = ""
    stamp: str = ""
    handshake: str = ""
    session: str = ""
    has_key: bool = False
    account: Account | None = None
    signed_out: bool = False  # while the page was open


def person() -> Person:
    """The person of this session: who is signed in, or the name and key as entered, and where they connect from.

    Of a session that has ended, in another tab or by an admin, nothing is left but where they connect from.
    """
    connection = connection_of_session()
    if has_ended(connection):
        return Person(over_loopback=connection.local, visitor=connection.visitor)
    return Person(
        name=str(st.session_state.get(NAME_KEY, "")),
        over_loopback=connection.local,
        key=st.session_state.get(CURATOR_KEY, Secret()),
        account=connection.account,
        session=connection.session,
        has_key=connection.has_key,
        visitor=connection.visitor,
    )


def has_ended(connection: SessionConnection) -> bool:
    """Whether what the browser remembered has ended since the page was opened.

    Where sessions cannot be read it counts as ended: they may look on, and change nothing.
    """
    try:
        return bool(connection.session) and resources.app().sessions.has_ended(connection.session)
    except StoreError:
        return True


def connection_of_session() -> SessionConnection:
    """Where this session is connected from; decided while its client is there, and kept when it has hung up.

    Callbacks may run on after a client has gone. Who was never seen counts as remote, who was remote once stays so.
    """
    value, headers = st.session_state.get(CONNECTION_KEY), st.context.headers
    kept = value if isinstance(value, SessionConnection) else None
    stamps, visitors = headers.get_all(CONNECTION_HEADER), headers.get_all(VISITOR_HEADER)
    if not stamps:
        return kept or SessionConnection(False)
    local = stamps == [LOCAL] and (kept is None or kept.local)
    seen = replace(kept or _remembered(""), local=local, visitor=visitors[0] if len(visitors) == 1 else "")
    sessions = headers.get_all(SESSION_HEADER)
    stamp = sessions[0] if len(sessions) == 1 else ""
    handshake = headers.get("sec-websocket-key") or ""
    if kept is None or handshake != kept.handshake:
        seen = _reconnected(seen, stamp, handshake)
    if seen != kept:
        st.session_state[CONNECTION_KEY] = seen
    return seen


def _reconnected(seen: SessionConnection, stamp: str, handshake: str) -> SessionConnection:
    """After a new handshake: who the browser's cookie says they are, and nothing that someone else may have entered."""
    remembered = _remembered(stamp)
    if remembered.session != seen.session:
        st.session_state.pop(CURATOR_KEY, None)
    return replace(remembered, local=seen.local, visitor=seen.visitor, handshake=handshake)


def _remembered(stamp: str) -> SessionConnection:
    """What the browser's session remembers; the name becomes the one of this page."""
    name, _, key = stamp.partition(" ")
    session = resources.app().sessions.get(name) if name else None
    if session is None:
        return SessionConnection(False, stamp=stamp)
    if session.account is None and session.name:
        st.session_state.setdefault(NAME_KEY, session.name)
    return SessionConnection(False, stamp=stamp, session=session.id, has_key=key == "key", account=session.account)


def how_to_become(access: Access, role: Role) -> str:
    """What someone does on a page who wants to have this role, as an imperative."""
    how = access.how_to_become(role)
    return f"{how}, under “Sign in” at the upper right" if access.asks_for_key else how


def explain_unless_allowed(access: Access, action: Action) -> bool:
    """Whether this person may do this; if not, explain how to become someone who may."""
    if access.role(person()) >= action.role:
        return True
    how = how_to_become(access, action.role)
    if access.sign_in is None and not access.asks_for_key:
        how += ", or ask its owner to set a curator key"
    text = f"You can look at everything here. Only {action.role.label}s may {action.what}: {how}."
    st.info(text, icon=":material/lock_open:")
    return False
