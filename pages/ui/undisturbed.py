"""Callbacks that are carried out whole, whatever else a browser asks for meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from streamlit.runtime.scriptrunner import get_script_run_ctx

Args = ParamSpec("Args")
Result = TypeVar("Result")


def undisturbed(callback: Callable[Args, Result]) -> Callable[Args, Result]:
    """Let no waiting request break off `callback`.

    Streamlit breaks a run off for the next request wherever it touches the session's state, also in a callback: what a
    person asked for is then forgotten, half done or not begun. The request waits until the callback is through.
    """

    @wraps(callback)
    def whole(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        runner: Any = getattr(getattr(get_script_run_ctx(), "_enqueue", None), "__self__", None)
        if not getattr(runner, "_execing", False):
            return callback(*args, **kwargs)
        runner._execing = False  # the flag by which a runner knows that it may be broken off
        try:
            return callback(*args, **kwargs)
        finally:
            runner._execing = True

    return whole
