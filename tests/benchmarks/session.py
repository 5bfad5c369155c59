"""A browser's session without a browser: it speaks Streamlit's websocket protocol as Streamlit's own frontend does.

It draws nothing, fetches no pictures, remembers no messages and lets no fragment run again by itself.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

FINISHED = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
TEXT_INPUT = "text_input"
COMPONENT = "bidi_component"


class WrongAnswer(Exception):
    """The server's answer is not the page that was asked for."""


@dataclass(frozen=True)
class ScriptResult:
    """What one run of the script sent: its elements as (type, message, id of the fragment), and its page's hash."""

    elements: tuple[tuple[str, Any, str], ...]
    page_hash: str

    def widget(self, kind: str, key: str) -> Any:
        """The widget of this type and key. Raises WrongAnswer."""
        return self._found(kind, key)[1]

    def fragment_of(self, kind: str, key: str) -> str:
        return self._found(kind, key)[2]

    def component(self, key: str) -> dict[str, Any]:
        """What a component was given to show. Raises WrongAnswer."""
        shown: dict[str, Any] = json.loads(self.widget(COMPONENT, key).json)
        return shown

    def _found(self, kind: str, key: str) -> tuple[str, Any, str]:
        for element in self.elements:
            if element[0] == kind and element[1].id.endswith(f"-{key}"):
                return element
        said = "; ".join(message.body for type_, message, _ in self.elements if type_ in ("alert", "markdown"))
        raise WrongAnswer(f"no {kind} with the key {key!r}; the page says: {said[:300]}")


class Session:
    """One session: its page, the state of its widgets, and the query string in its address."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._widgets: dict[str, WidgetState] = {}
        self._query_string = ""
        self._page_hash = ""

    async def open(self, page: str, **address: str) -> ScriptResult:
        """Go to a page by its address, as the first request of a browser does."""
        self._query_string, self._page_hash = urlencode(address), ""
        return await self._rerun(page_name=page)

    async def set(self, *states: WidgetState, fragment: str = "", **address: str) -> ScriptResult:
        """Change widgets, and what the address says with them; runs the whole page, or one fragment."""
        self._widgets.update({state.id: state for state in states})
        if address:
            self._query_string = urlencode(address)
        return await self._rerun(fragment_id=fragment)

    async def press(self, button: str, fragment: str = "") -> ScriptResult:
        """Press the button of this id: unlike other widgets, it is in this request alone."""
        return await self._rerun(WidgetState(id=button, trigger_value=True), fragment_id=fragment)

    async def _rerun(self, *states: WidgetState, **request: str) -> ScriptResult:
        await self.send(self.request(*states, **request))
        answer = await self._answer()
        self._page_hash = answer.page_hash
        return answer

    async def send(self, request: bytes) -> None:
        await self._socket.send(request)

    def cut(self) -> None:
        """Cut the connection without a goodbye."""
        self._socket.transport.abort()

    def request(self, *states: WidgetState, **request: str) -> bytes:
        """The message that runs the script once more, with these states beside those of its widgets."""
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string, rerun.page_script_hash = self._query_string, self._page_hash
        rerun.widget_states.widgets.extend((self._widgets | {state.id: state for state in states}).values())
        for name, value in request.items():
            setattr(rerun, name, value)
        return message.SerializeToString()

    async def _answer(self) -> ScriptResult:
        elements, page_hash = [], self._page_hash
        while True:
            message = ForwardMsg.FromString(await self._socket.recv(decode=False))
            kind = message.WhichOneof("type")
            if kind == "navigation":
                page_hash = message.navigation.page_script_hash
            elif kind == "page_info_changed":
                self._query_string = message.page_info_changed.query_string
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                type_ = element.WhichOneof("type")
                elements.append((type_, getattr(element, type_), message.delta.fragment_id))
            elif kind == "script_finished" and message.script_finished in FINISHED:
                return ScriptResult(tuple(elements), page_hash)
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                raise WrongAnswer("the script does not compile")


@asynccontextmanager
async def session(address: str, **options: Any) -> AsyncIterator[Session]:
    """A new session with the server at `ws://HOST:PORT`; `options` are those of websockets' `connect`."""
    async with connect(f"{address}/_stcore/stream", subprotocols=["streamlit"], max_size=None, **options) as socket:
        yield Session(socket)
