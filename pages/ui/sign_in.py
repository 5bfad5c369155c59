"""Signing in and out on every page, names and the curator key, and asking for a name where one is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAPIException

from core.access import MAX_NAME_LENGTH, Person, Role
from core.api.session_guard import SIGN_IN_COOKIE
from core.app import App
from core.errors import ContactSheetError
from core.settings import Secret
from core.text import one_line
from pages.ui import resources
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import CONNECTION_KEY, CURATOR_KEY, NAME_KEY, connection_of_session, has_ended, person
from pages.ui.streamlit_internals import session_id, uninterrupted

KEY_ENTRY, REFUSAL_KEY, CODE_KEY, SHOWN_KEY = "curator_key_entry", "person_refusal", "person_code", "person_shown"
TOLD_KEY = "sign_in_told"
MAX_LABEL_LENGTH = 14
UNAVAILABLE = "Nobody can sign in here now: on the server, `python -m core doctor` says what is missing."
# How the last sign-in ended, as the server noted it in a cookie.
FAILURES = {
    "denied": "You did not sign in: it was denied at the identity provider.",
    "failed": "Signing in did not work: the identity provider’s answer was not accepted. Try again.",
    "unreachable": "Signing in did not work: the identity provider could not be reached. Try again later.",
}

_HERE = Path(__file__).parent
_REMEMBER = st.components.v2.component(
    "contact_sheet_remember",
    css=(_HERE / "remember.css").read_text(encoding="utf-8"),
    js=(_HERE / "remember.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def show_person(app: App) -> None:
    """Who is signed in, and signing in and out; without an identity provider, the name and the curator key."""
    _leave_ended_session()
    if app.access.sign_in is not None:
        _show_account(app)
        return
    who = person()
    _say_signed_out("This browser has forgotten you.")
    with_key = "Curator" if app.access.is_curator(who) else "Sign in"
    label = who.given_name or (with_key if app.access.asks_for_key else "Your name")
    what = "Your name and the curator key" if app.access.asks_for_key else "Your name, as others see it"
    with st.popover(
        escape_markdown(one_line(label, MAX_LABEL_LENGTH)), icon=":material/person:", help=what, key="person"
    ):
        _show_name_and_key(app, who)
    _claim_session()


def _leave_ended_session() -> None:
    """Let go of what was entered in a session that has ended meanwhile."""
    if has_ended(connection_of_session()):
        _let_go(signed_out=True)


def _let_go(signed_out: bool) -> None:
    """Forget in this page what its person entered, or what their browser remembered."""
    connection = connection_of_session()
    left = replace(connection, session="", has_key=False, account=None, signed_out=signed_out)
    st.session_state[CONNECTION_KEY] = left
    st.session_state[NAME_KEY] = ""
    for key in (CURATOR_KEY, CODE_KEY):
        st.session_state.pop(key, None)


def _say_signed_out(text: str) -> None:
    if connection_of_session().signed_out:
        st.markdown(f":orange[{text}]", width="content")


def _show_account(app: App) -> None:
    who = person()
    if who.account is None:
        _say_signed_out("You were signed out.")
        st.button("Sign in", icon=":material/login:", on_click=_sign_in, key="sign_in")
        _show_refusal()
        _tell_failure()
        return
    with st.popover(
        escape_markdown(one_line(who.given_name, MAX_LABEL_LENGTH)), icon=":material/person:", key="person"
    ):
        role = app.access.role(who)
        lines = [who.account.email, f"Signed in as {'an admin' if role is Role.ADMIN else f'a {role.label}'}."]
        st.caption("  \n".join(escape_markdown(line) for line in lines if line))
        st.button("Sign out", icon=":material/logout:", on_click=_sign_out, args=(app,), key="sign_out")


def _tell_failure() -> None:
    """Say once how signing in ended, if it did not succeed."""
    failure = FAILURES.get(st.context.cookies.get(SIGN_IN_COOKIE, ""))
    if failure and not st.session_state.get(TOLD_KEY):
        st.session_state[TOLD_KEY] = True
        st.toast(failure, icon=":material/error:", duration="long")


def _sign_in() -> None:
    try:
        st.login()
    except StreamlitAPIException:  # the table [auth] lacks something, or Authlib is not installed
        st.session_state[REFUSAL_KEY] = UNAVAILABLE


@uninterrupted
def _sign_out(app: App) -> None:
    app.sessions.end(person())
    st.logout()


def _show_name_and_key(app: App, who: Person) -> None:
    with st.form("person_form", border=False):
        st.text_input("Your name", key=NAME_KEY, max_chars=MAX_NAME_LENGTH, persist_state="session")
        if app.access.asks_for_key and not app.access.is_curator(who):
            st.text_input("Curator key", type="password", key=KEY_ENTRY)
        st.form_submit_button("Remember me", on_click=_take_name_and_key, args=(app,), key="remember_me")
    _show_refusal()
    if who.session or who.key:
        st.button("Forget me in this browser", type="tertiary", on_click=_forget, args=(app,), key="forget_me")


@uninterrupted
def _take_name_and_key(app: App) -> None:
    """Take over what the form holds, for this page and, by a cookie, for this browser."""
    key = Secret(str(st.session_state.pop(KEY_ENTRY, "")))
    try:
        right = bool(key) and app.key_guard.check(person().visitor, key)
    except ContactSheetError as error:
        st.session_state[REFUSAL_KEY] = str(error)
        return
    if right:
        st.session_state[CURATOR_KEY] = key
    elif key:
        st.session_state[REFUSAL_KEY] = "This is not the key."
    if right or person().given_name or person().session:
        _remember(app, key_is_new=right)


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
    connection = connection_of_session()
    st.session_state[CONNECTION_KEY] = replace(connection, session=session, has_key=has_key, signed_out=False)
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
    _let_go(signed_out=False)


def _show_refusal() -> None:
    refusal = st.session_state.pop(REFUSAL_KEY, None)
    if refusal:
        st.error(escape_markdown(sentence(refusal)), icon=":material/error:")


# -- names ------------------------------------------------------------------------------------------------------------


def name_field(key: str) -> None:
    """For a form: a field for the name of someone who has not given it; `take_name` takes it over."""
    if not person().given_name:
        text = "Others see it beside what you save and publish"
        st.text_input("Your name", key=key, max_chars=MAX_NAME_LENGTH, help=text)


def take_name(app: App, key: str) -> None:
    """Take over the name of a `name_field`, for this page and, by a cookie, for this browser; for callbacks."""
    name = str(st.session_state.get(key, ""))
    if name and not person().given_name:
        st.session_state[NAME_KEY] = name
        if person().given_name:
            _remember(app)


# -- noticing changes -------------------------------------------------------------------------------------------------


def note_shown_person() -> None:
    """Note whom the page that is being run shows."""
    st.session_state[SHOWN_KEY] = _standing()


def rerun_if_changed() -> None:
    """In a fragment: run the whole page if it shows someone who has changed since, or was signed out."""
    if SHOWN_KEY in st.session_state and st.session_state[SHOWN_KEY] != _standing():
        st.rerun()


def _standing() -> tuple[str, Role, str]:
    who = person()
    return who.given_name, resources.app().access.role(who), who.session
