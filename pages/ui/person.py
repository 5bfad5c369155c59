"""Who uses the page: recognising them, signing in and out, and asking for a name where one is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAPIException

from core.access import MAX_NAME_LENGTH, Access, Action, Person, Role
from core.api.connection_guard import CONNECTION_HEADER, LOCAL, VISITOR_HEADER
from core.api.session_guard import SESSION_HEADER
from core.app import App
from core.errors import ContactSheetError
from core.records.sessions import Account
from core.settings import Secret
from pages.ui import resources
from pages.ui.format import escape_markdown
from pages.ui.streamlit_internals import session_id, uninterrupted

NAME_KEY, CURATOR_KEY, CONNECTION_KEY = "person_name", "person_key", "person_connection"
KEY_ENTRY, REFUSAL_KEY, CODE_KEY = "curator_key_entry", "person_refusal", "person_code"
NAMED_KEY = "person_named"
MAX_LABEL_LENGTH = 14

_HERE = Path(__file__).parent
_REMEMBER = st.components.v2.component(
    "contact_sheet_remember",
    css=(_HERE / "remember.css").read_text(encoding="utf-8"),
    js=(_HERE / "remember.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@dataclass(frozen=True)
class SessionConnection:
    """Where a session was connected from while its client was there. No widget of a browser can have such a value.

    `stamp` is what the server wrote on the handshake about the browser's session: its id, and whether it has the key.
    """

    local: bool
    visitor: str = ""
    stamp: str = ""
    session: str = ""
    has_key: bool = False
    account: Account | None = None


def person() -> Person:
    """The person of this session: who is signed in, or the name and key as entered, and where they connect from."""
    connection = _connection()
    return Person(
        name=str(st.session_state.get(NAME_KEY, "")),
        over_loopback=connection.local,
        key=st.session_state.get(CURATOR_KEY, Secret()),
        account=connection.account,
        session=connection.session,
        has_key=connection.has_key,
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
    seen = replace(kept or _remembered(""), local=local, visitor=visitors[0] if len(visitors) == 1 else "")
    sessions = headers.get_all(SESSION_HEADER)
    stamp = sessions[0] if len(sessions) == 1 else ""
    if stamp != seen.stamp:
        seen = replace(_remembered(stamp), local=seen.local, visitor=seen.visitor)
    if seen != kept:
        st.session_state[CONNECTION_KEY] = seen
    return seen


def _remembered(stamp: str) -> SessionConnection:
    """What the browser's session remembers; the name becomes the one of this page."""
    name, _, key = stamp.partition(" ")
    session = resources.app().sessions.get(name) if name else None
    if session is None:
        return SessionConnection(False, stamp=stamp)
    if session.account is None and session.name:
        st.session_state.setdefault(NAME_KEY, session.name)
    return SessionConnection(False, stamp=stamp, session=session.id, has_key=key == "key", account=session.account)


# -- who it is, on every page -----------------------------------------------------------------------------------------


def show_person(app: App) -> None:
    """Who is signed in, and signing in and out; without an identity provider, the name and the curator key."""
    if app.access.sign_in is not None:
        _show_account(app)
        return
    who = person()
    with_key = "Curator" if app.access.is_curator(who) else "Sign in"
    label = who.given_name or (with_key if app.access.asks_for_key else "Your name")
    with st.popover(escape_markdown(_shortened(label)), icon=":material/person:", help="Your name, as others see it"):
        _show_name_and_key(app, who)
    st.session_state.pop(NAMED_KEY, None)
    _claim_session()


def _show_account(app: App) -> None:
    who = person()
    if who.account is None or app.sessions.get(who.session) is None:
        if who.account is not None:
            st.caption("You were signed out.")
        st.button("Sign in", icon=":material/login:", on_click=_sign_in, key="sign_in")
        _show_refusal()
        return
    with st.popover(escape_markdown(_shortened(who.given_name)), icon=":material/person:"):
        role = app.access.role(who)
        lines = [who.account.email, f"Signed in as {'an admin' if role is Role.ADMIN else f'a {role.label}'}."]
        st.caption("  \n".join(escape_markdown(line) for line in lines if line))
        st.button("Sign out", icon=":material/logout:", on_click=_sign_out, args=(app,), key="sign_out")


def _shortened(name: str) -> str:
    """A name that leaves room for the page's title on a phone."""
    return name if len(name) <= MAX_LABEL_LENGTH else f"{name[: MAX_LABEL_LENGTH - 1].rstrip()}…"


def _sign_in() -> None:
    try:
        st.login()
    except StreamlitAPIException as error:  # the table [auth] lacks something, or Authlib is not installed
        st.session_state[REFUSAL_KEY] = " ".join(str(error).split())


@uninterrupted
def _sign_out(app: App) -> None:
    app.sessions.end(person())
    st.logout()


def _show_name_and_key(app: App, who: Person) -> None:
    st.text_input(
        "Your name",
        key=NAME_KEY,
        max_chars=MAX_NAME_LENGTH,
        persist_state="session",
        on_change=_take_name,
        args=(app, NAME_KEY),
    )
    if app.access.asks_for_key and not app.access.is_curator(who):
        st.text_input("Curator key", type="password", key=KEY_ENTRY, on_change=_take_key, args=(app,))
    _show_refusal()
    if who.session or who.key:
        st.button("Forget me in this browser", type="tertiary", on_click=_forget, args=(app,), key="forget_me")


@uninterrupted
def _take_key(app: App) -> None:
    """Take over the key of the field, for this page and, by a cookie, for this browser."""
    key = Secret(str(st.session_state.pop(KEY_ENTRY, "")))
    try:
        right = bool(key) and app.key_guard.check(person().visitor, key)
    except ContactSheetError as error:
        st.session_state[REFUSAL_KEY] = str(error)
        return
    if right:
        st.session_state[CURATOR_KEY] = key
        _remember(app, key_is_new=True)
    elif key:
        st.session_state[REFUSAL_KEY] = "This is not the key."


def _remember(app: App, key_is_new: bool = False) -> None:
    """Remember this person in their browser; a session that gains the key gets a new cookie."""
    who = person()
    try:
        if app.sessions.get(who.session) is not None and not key_is_new:
            app.sessions.rename(who)
            return
        session, code = app.sessions.offer(who, st.context.headers.get("user-agent") or "")
    except ContactSheetError as error:
        st.session_state[REFUSAL_KEY] = str(error)
        return
    has_key = who.has_key or app.access.is_key(who.key)
    st.session_state[CONNECTION_KEY] = replace(_connection(), session=session, has_key=has_key)
    st.session_state[CODE_KEY] = code


def _claim_session() -> None:
    """Let the browser fetch the cookie of the session that was offered to it."""
    code = st.session_state.get(CODE_KEY)
    if code:
        with st.container(key="remember"):
            _REMEMBER(data={"code": code}, key="remember_code")


@uninterrupted
def _forget(app: App) -> None:
    app.sessions.end(person())
    app.upload_permits.withdraw(session_id(), "collection")
    st.session_state[CONNECTION_KEY] = replace(_connection(), session="", has_key=False)
    st.session_state[NAME_KEY] = ""
    for key in (CURATOR_KEY, CODE_KEY):
        st.session_state.pop(key, None)


def _show_refusal() -> None:
    refusal = st.session_state.pop(REFUSAL_KEY, None)
    if refusal:
        st.error(escape_markdown(refusal), icon=":material/error:")


# -- where someone has to be someone ----------------------------------------------------------------------------------


def ask_for_name(app: App, key: str) -> bool:
    """Whether this person has given a name; if not, a field for it, which remembers it as it is entered."""
    if person().given_name:
        return True
    entry = f"{key}_name"
    st.text_input(
        "Your name",
        key=entry,
        max_chars=MAX_NAME_LENGTH,
        help="Others see it beside what you save and publish",
        on_change=_take_name,
        args=(app, entry),
    )
    return False


@uninterrupted
def _take_name(app: App, entry: str) -> None:
    """Take over the name of a field, for this page and, by a cookie, for this browser."""
    st.session_state[NAME_KEY] = str(st.session_state.get(entry, ""))
    if person().given_name:
        _remember(app)
        st.session_state[NAMED_KEY] = True


def rerun_once_named() -> None:
    """Run the whole page where a fragment has taken a name: the page's head shows it, and fetches the cookie."""
    if st.session_state.pop(NAMED_KEY, False):
        st.rerun()


def explain_unless_allowed(access: Access, action: Action) -> bool:
    """Whether this person may do this; if not, explain how to become someone who may."""
    if access.role(person()) >= action.role:
        return True
    how = access.how_to_become(action.role)
    if access.sign_in is None and not access.asks_for_key:
        how += ", or ask its owner to set a curator key"
    text = f"You can look at everything here. Only {action.role.label}s may {action.what}: {how}."
    st.info(text, icon=":material/lock_open:")
    return False
