"""Whether a session is one of this computer: decided while its client is there."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.context import ContextProxy, StreamlitHeaders
from streamlit.testing.v1 import AppTest

from core.api.connection_guard import CONNECTION_HEADER
from pages.ui.person import CONNECTION_KEY, SessionConnection


class Connection:
    """What the handshake of a session's client says; None once it has hung up."""

    def __init__(self) -> None:
        self.stamps: list[str] | None = ["local"]

    @property
    def headers(self) -> StreamlitHeaders:
        return StreamlitHeaders([(CONNECTION_HEADER, stamp) for stamp in self.stamps or ()])


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
