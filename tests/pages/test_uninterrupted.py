from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from pages.ui import streamlit_internals as module
from pages.ui.streamlit_internals import uninterrupted


class Runner:
    """As far as a callback knows the thread that runs it: it may be broken off while `_execing`."""

    def __init__(self) -> None:
        self._execing = True

    def enqueue(self) -> None:
        """What a run's context reaches its runner by."""


@dataclass
class Context:
    session_id: str
    runner: Runner = field(default_factory=Runner)

    @property
    def _enqueue(self) -> Any:
        return self.runner.enqueue


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> threading.local:
    """The run's context of each thread."""
    held = threading.local()
    monkeypatch.setattr(module, "get_script_run_ctx", lambda: getattr(held, "context", None))
    return held


def test_a_run_cannot_be_broken_off_during_a_callback_and_can_afterwards(contexts: threading.local) -> None:
    contexts.context = Context("one")
    runner = contexts.context.runner
    assert uninterrupted(lambda: runner._execing)() is False
    assert runner._execing


def test_after_an_error_too_and_a_callback_may_call_another(contexts: threading.local) -> None:
    contexts.context = Context("one")

    @uninterrupted
    def failing() -> None:
        uninterrupted(lambda: None)()
        assert not contexts.context.runner._execing
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        failing()
    assert contexts.context.runner._execing


def test_callbacks_of_one_session_wait_for_each_other_and_those_of_two_do_not(contexts: threading.local) -> None:
    inside, through, order = threading.Event(), threading.Event(), list[str]()

    @uninterrupted
    def first() -> None:
        inside.set()
        through.wait(20)
        order.append("first")

    @uninterrupted
    def other(name: str) -> None:
        order.append(name)

    def run(session: str, callback: Any, *args: str) -> threading.Thread:
        def body() -> None:
            contexts.context = Context(session)
            callback(*args)

        thread = threading.Thread(target=body)
        thread.start()
        return thread

    threads = [run("one", first)]
    inside.wait(20)
    threads.append(run("one", other, "same session"))
    run("two", other, "other session").join(20)
    through.set()
    for thread in threads:
        thread.join(20)
    assert order == ["other session", "first", "same session"]


def test_outside_a_run_a_callback_is_just_called(contexts: threading.local) -> None:
    assert uninterrupted(lambda a, b: a + b)(1, b=2) == 3
