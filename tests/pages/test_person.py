"""Whether a session is one of this computer: decided while its client is there."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.context import ContextProxy, StreamlitHeaders
from streamlit.testing.v1 import AppTest

from core.access import Person
from core.api.connection_guard import CONNECTION_HEADER
from core.api.session_guard import SESSION_HEADER
from core.app import App
from core.settings import Secret
from pages.ui.person import CONNECTION_KEY, CURATOR_KEY, SessionConnection


class Connection:
    """What the handshake of a session's client says; None once it has hung up."""

    def __init__(self) -> None:
        self.stamps: list[str] | None = ["local"]
        self.session, self.handshake = "", "first"

    @property
    def headers(self) -> StreamlitHeaders:
        if self.stamps is None:
            return StreamlitHeaders([])
        stamps = [(CONNECTION_HEADER, stamp) for stamp in self.stamps]
        return StreamlitHeaders([*stamps, (SESSION_HEADER, self.session), ("sec-websocket-key", self.handshake)])


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    connection = Connection()
    monkeypatch.setattr(ContextProxy, "headers", property(lambda _: connection.headers))
    return connection


def script() -> None:
    import streamlit as st

    from pages.ui.person import person

    st.write(f"local: {person().over_loopback}")


def is_local(page: AppTest, state: WidgetStates | None = None) -> bool:
    page._run(state) if state else page.run()
    assert not page.exception
    return bool(page.markdown[0].value == "local: True")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([["local"]], True),
        ([["local"], None], True),
        ([["remote"]], False),
        ([["remote"], None], False),
        ([None], False),
        ([None, None], False),
        ([None, ["local"]], True),
        ([None, ["remote"]], False),
        ([["local"], ["remote"]], False),
        ([["local"], ["remote"], None], False),
        ([["remote"], ["local"], None], False),
        ([["local", "local"]], False),
        ([["remote", "local"]], False),
        ([["yes"]], False),
    ],
)
def test_what_was_seen_first_stays_and_what_was_never_seen_is_remote(
    connection: Connection, seen: list[list[str] | None], expected: bool
) -> None:
    page = AppTest.from_function(script)
    for stamps in seen:
        connection.stamps = stamps
        local = is_local(page)
    assert local is expected


@pytest.mark.parametrize("value", [{"bool_value": True}, {"json_value": '{"local": true}'}, {"string_value": "local"}])
def test_no_widget_of_a_browser_can_set_it(connection: Connection, value: dict[str, Any]) -> None:
    page = AppTest.from_function(script)
    connection.stamps = None
    assert not is_local(page, WidgetStates(widgets=[WidgetState(id=CONNECTION_KEY, **value)]))
    page.session_state[CONNECTION_KEY] = "local"
    assert not is_local(page)
    page.session_state[CONNECTION_KEY] = SessionConnection(True)
    assert is_local(page)


def test_an_address_of_a_page_does_not_set_it(connection: Connection) -> None:
    page = AppTest.from_function(script)
    connection.stamps = None
    page.query_params[CONNECTION_KEY] = "local"
    assert not is_local(page)


# -- sessions ---------------------------------------------------------------------------------------------------------


def who(page: AppTest) -> str:
    page.run()
    assert not page.exception
    return str(page.markdown[0].value)


def role_script() -> None:
    import streamlit as st

    from pages.ui import resources
    from pages.ui.person import person

    st.write(f"{person().author}: {resources.app().access.role(person()).label}")


@pytest.fixture
def keyed(served: App, connection: Connection) -> App:
    served.access.curator_key = Secret("sesame")
    connection.stamps = ["remote"]
    return served


def remembered(app: App) -> str:
    session, code = app.sessions.offer(Person("Ada", key=Secret("sesame")), "")
    app.sessions.claim(code)
    return session


def test_a_browser_that_remembers_the_key_is_a_curators_until_its_session_ends(
    keyed: App, connection: Connection
) -> None:
    session = remembered(keyed)
    connection.session = f"{session} key"
    page = AppTest.from_function(role_script)
    assert who(page) == "Ada: curator"
    connection.stamps = None  # hung up: what runs on is theirs
    assert who(page) == "Ada: curator"
    keyed.sessions.end(Person(session=session))
    assert who(page) == "a visitor: viewer"


def test_a_key_that_was_typed_goes_when_another_browser_takes_the_pages_session_over(
    keyed: App, connection: Connection
) -> None:
    page = AppTest.from_function(role_script)
    page.session_state[CURATOR_KEY] = Secret("sesame")
    page.session_state[CONNECTION_KEY] = SessionConnection(False, session=remembered(keyed), handshake="first")
    assert who(page) == "someone with the curator key: curator"
    connection.handshake = "second"  # without the cookie
    assert who(page) == "a visitor: viewer"


def test_the_same_browser_keeps_it_when_it_connects_again(keyed: App, connection: Connection) -> None:
    session = remembered(keyed)
    page = AppTest.from_function(role_script)
    page.session_state[CURATOR_KEY] = Secret("sesame")
    page.session_state[CONNECTION_KEY] = SessionConnection(False, session=session, handshake="first")
    assert who(page) == "someone with the curator key: curator"
    connection.handshake, connection.session = "second", f"{session} key"
    assert who(page) == "Ada: curator"
