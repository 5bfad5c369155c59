"""Callbacks that are carried out whole and one after the other, whatever else a browser asks for meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.resources import turn_of

Args = ParamSpec("Args")
Result = TypeVar("Result")


def uninterrupted(callback: Callable[Args, Result]) -> Callable[Args, Result]:
    """Let no other request of its session break off `callback`, or begin beside it.

    Streamlit breaks a run off for the next request wherever it touches the session's state, also in a callback: what a
    person asked for is then forgotten, half done or not begun. The next request's run begins at once, in a thread of
    its own; its callbacks wait here until this one is through.
    """

    @wraps(callback)
    def whole(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        context = get_script_run_ctx()
        runner: Any = getattr(getattr(context, "_enqueue", None), "__self__", None)
        if context is None or not getattr(runner, "_execing", False):
            return callback(*args, **kwargs)
        runner._execing = False  # the flag by which a runner knows that it may be broken off
        try:
            with turn_of(context.session_id):
                return callback(*args, **kwargs)
        finally:
            runner._execing = True

    return whole


class Queue(ForwardMsgQueue):
    """What is on its way to a browser.

    When a fragment begins before the end of another one was sent, Streamlit tells the browser that the other one was
    broken off, although all it drew is on the way. The browser then leaves there what that one did not draw again:
    buttons without use. Here a fragment that has ended has ended, unless it is the one that begins again.
    """

    def clear(self, retain_lifecycle_msgs: bool = False, fragment_ids_this_run: list[str] | None = None) -> None:
        ended = [
            message
            for message in self._queue
            if message.WhichOneof("type") == "script_finished"
            and message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
            and fragment_ids_this_run is not None
            and not set(message.metadata.run.fragment_ids) & set(fragment_ids_this_run)
        ]
        super().clear(retain_lifecycle_msgs, fragment_ids_this_run)
        for message in ended:
            message.script_finished = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY


def install_fragment_queue() -> None:
    """Use this queue for all sessions to come."""
    from streamlit.runtime import app_session

    vars(app_session)["ForwardMsgQueue"] = Queue
