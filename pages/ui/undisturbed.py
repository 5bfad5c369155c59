"""Callbacks that are carried out whole and one after the other, whatever else a browser asks for meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui.resources import turn_of

Args = ParamSpec("Args")
Result = TypeVar("Result")


def undisturbed(callback: Callable[Args, Result]) -> Callable[Args, Result]:
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
