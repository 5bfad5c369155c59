"""What pages/ui/streamlit_internals.py relies on, on Streamlit's real classes.

A test that fails here after an update of Streamlit names what has moved, and what is lost without it.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import socket
import subprocess
import sys
import threading
from asyncio import base_events
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
import uvicorn
from streamlit import config, runtime
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime import app_session
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.runtime import Runtime
from streamlit.runtime.scriptrunner import ScriptRunner, get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from core.settings import PROJECT
from pages.ui import streamlit_internals
from pages.ui.streamlit_internals import (
    fragment_queue_class,
    install_fragment_queue,
    patch_streamlit,
    send_without_delay,
    uninterrupted,
)
from tests.fakes.event_loops import run_in_thread


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Streamlit as it was, and no warning given yet."""
    monkeypatch.setattr(app_session, "ForwardMsgQueue", ForwardMsgQueue)
    monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
    monkeypatch.setattr(base_events, "_set_nodelay", base_events._set_nodelay)
    hosts = st.get_option("server.allowedHosts")
    monkeypatch.setattr(logging.getLogger("contactsheet"), "propagate", True)
    fragment_queue_class.cache_clear()
    streamlit_internals._warn.cache_clear()
    yield
    fragment_queue_class.cache_clear()
    config.set_option("server.allowedHosts", hosts)


# -- uploads ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> MemoryUploadedFileManager:
    """The files that Streamlit holds, in a runtime that holds nothing else."""
    held = MemoryUploadedFileManager("/_stcore/upload_file")
    for session, file_id, size in (("a", "1", 10), ("a", "2", 20), ("b", "3", 400)):
        held.add_file(session, UploadedFileRec(file_id, "x.png", "image/png", b"x" * size))
    monkeypatch.setattr(runtime, "exists", lambda: True)
    monkeypatch.setattr(runtime, "get_instance", lambda: SimpleNamespace(uploaded_file_mgr=held))
    return held


def test_a_runtime_tells_its_uploaded_files() -> None:
    assert isinstance(Runtime.uploaded_file_mgr, property)
    assert "uploaded_file_mgr" in {field.name for field in fields(ScriptRunContext)}


def test_how_much_some_sessions_hold_is_known_and_asking_changes_nothing(uploads: MemoryUploadedFileManager) -> None:
    assert streamlit_internals.held_upload_bytes(["a"]) == 30
    assert streamlit_internals.held_upload_bytes(["a", "b", "unknown"]) == 430
    assert set(uploads.file_storage) == {"a", "b"}


def test_a_file_that_was_used_is_removed_from_memory(
    uploads: MemoryUploadedFileManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = SimpleNamespace(session_id="a", uploaded_file_mgr=uploads)
    monkeypatch.setattr(streamlit_internals, "get_script_run_ctx", lambda: context)
    (record,) = uploads.get_files("a", ["2"])
    streamlit_internals.remove_upload(UploadedFile(record, FileURLs()))
    assert streamlit_internals.session_id() == "a"
    assert streamlit_internals.held_upload_bytes(["a"]) == 10


def test_the_upload_route_takes_files_of_the_size_that_is_set() -> None:
    before = st.get_option("server.maxUploadSize")
    try:
        streamlit_internals.allow_upload_size(321)
        assert st.get_option("server.maxUploadSize") == 321
    finally:
        config.set_option("server.maxUploadSize", before)


# -- the names, on the real classes -----------------------------------------------------------------------------------


def test_the_names_belong_to_the_version_that_is_pinned() -> None:
    pinned = re.search(r"^streamlit==(.+)$", (PROJECT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert st.__version__ == pinned[1]


def test_a_session_creates_its_queue_by_the_name_that_is_replaced() -> None:
    assert "ForwardMsgQueue()" in inspect.getsource(app_session.AppSession.__init__)
    install_fragment_queue()
    assert app_session.ForwardMsgQueue is fragment_queue_class()
    assert issubclass(fragment_queue_class(), ForwardMsgQueue)


def test_a_queue_clears_itself_by_this_signature() -> None:
    parameters = inspect.signature(ForwardMsgQueue.clear).parameters
    assert list(parameters) == ["self", "retain_lifecycle_msgs", "fragment_ids_this_run"]
    assert (parameters["retain_lifecycle_msgs"].default, parameters["fragment_ids_this_run"].default) == (False, None)
    assert list(inspect.signature(fragment_queue_class().clear).parameters) == list(parameters)


def test_a_queue_holds_its_messages_in_a_list() -> None:
    queue, message = ForwardMsgQueue(), ForwardMsg(script_finished=ForwardMsg.FINISHED_SUCCESSFULLY)
    queue.enqueue(message)
    assert queue._queue == [message]


def test_a_message_says_which_fragments_a_run_had_and_how_it_ended() -> None:
    message = ForwardMsg(script_finished=ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
    message.metadata.run.fragment_ids.append("explorer")
    assert message.WhichOneof("type") == "script_finished"
    assert list(message.metadata.run.fragment_ids) == ["explorer"]


def test_streamlits_own_queue_still_reports_an_ended_fragment_as_broken_off() -> None:
    """Once it does not, our queue can go."""
    message = ForwardMsg(script_finished=ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
    message.metadata.run.fragment_ids.append("explorer")
    queue = ForwardMsgQueue()
    queue.enqueue(message)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=["badge"])
    assert [m.script_finished for m in queue.flush()] == [ForwardMsg.FINISHED_EARLY_FOR_RERUN]


def test_a_runs_context_leads_to_its_runner_and_names_its_session() -> None:
    assert {"_enqueue", "session_id", "is_history_navigation"} <= set(inspect.signature(ScriptRunContext).parameters)
    assert "_enqueue=self._enqueue_forward_msg" in inspect.getsource(ScriptRunner._run_script_thread)
    assert inspect.isfunction(ScriptRunner._enqueue_forward_msg)


def test_a_runner_may_be_broken_off_only_while_its_flag_is_up() -> None:
    source = inspect.getsource(ScriptRunner._maybe_handle_execution_control_request)
    assert re.search(r"if not self\._execing:\n(\s+#.*\n)*\s+return", source)
    assert "self._execing = True" in inspect.getsource(ScriptRunner._set_execing_flag)


def test_in_a_real_run_a_callback_finds_its_runner_and_lowers_its_flag() -> None:
    seen: list[tuple[bool, bool, bool]] = []

    def script(record: list) -> None:
        import streamlit as st
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        from pages.ui.streamlit_internals import uninterrupted

        def flag() -> bool:
            return bool(get_script_run_ctx()._enqueue.__self__._execing)  # type: ignore[union-attr]

        def clicked() -> None:
            before = flag()
            inside = uninterrupted(flag)()
            record.append((before, inside, flag()))

        st.button("Click", on_click=clicked)

    page = AppTest.from_function(script, args=(seen,)).run()
    page.button[0].click().run()
    assert not page.exception
    assert seen == [(True, False, True)]


def test_connections_that_streamlits_socket_accepts_send_without_delay() -> None:
    assert not run_in_thread(_sends_without_delay()), "asyncio recognises them by now: send_without_delay is not needed"
    send_without_delay()
    assert run_in_thread(_sends_without_delay())


async def _sends_without_delay() -> bool:
    """Whether Nagle's algorithm is off on a connection to a socket that was created as Streamlit creates its own."""
    found = asyncio.get_running_loop().create_future()

    async def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted = writer.get_extra_info("socket")
        found.set_result(bool(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)))
        writer.close()

    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind(("127.0.0.1", 0))
    async with await asyncio.start_server(accept, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        writer.close()
        return bool(await found)


def test_pages_are_not_looked_for_in_a_folder_once_the_flag_is_down(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    PagesManager(str(tmp_path / "app.py"))
    assert PagesManager.uses_pages_directory is True
    PagesManager.uses_pages_directory = None
    patch_streamlit()
    PagesManager(str(tmp_path / "app.py"))
    assert PagesManager.uses_pages_directory is False


def test_the_option_that_streamlit_reads_but_does_not_list_is_still_read() -> None:
    assert config._config_options_template["runner.postScriptGC"].visibility == "hidden"
    assert st.get_option("runner.postScriptGC") is False


def test_streamlit_accepts_websockets_under_the_given_hosts_alone() -> None:
    patch_streamlit(["photos.example", "::1"])
    assert st.get_option("server.allowedHosts") == ["::1", "photos.example"]
    assert [is_host_allowed(host) for host in ("photos.example:8501", "[::1]:1", "evil.example", "")] == [
        True,
        True,
        False,
        False,
    ]


# -- where a name is missing ------------------------------------------------------------------------------------------


def warnings(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)


def test_with_all_names_there_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    patch_streamlit()
    assert warnings(caplog) == ""


def test_without_the_option_the_server_starts_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delitem(config._config_options_template, "server.allowedHosts")
    patch_streamlit(["localhost"])
    assert "our own check alone" in warnings(caplog)


@pytest.mark.parametrize(
    ("owner", "name", "consequence"),
    [(app_session, "ForwardMsgQueue", "buttons of a fragment"), (PagesManager, "uses_pages_directory", "deep link")],
)
def test_without_a_name_the_server_starts_with_a_warning_and_without_what_it_was_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, owner: Any, name: str, consequence: str
) -> None:
    monkeypatch.delattr(owner, name)
    patch_streamlit()
    assert not hasattr(owner, name)
    assert consequence in warnings(caplog)
    assert st.__version__ in warnings(caplog)


@pytest.mark.parametrize("module", ["forward_msg_queue", "pages_manager", "app_session"])
def test_without_a_module_the_server_starts_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, module: str
) -> None:
    import streamlit.runtime as runtime

    monkeypatch.setitem(sys.modules, f"streamlit.runtime.{module}", None)
    monkeypatch.delattr(runtime, module)
    patch_streamlit()
    assert module in warnings(caplog)


def test_without_the_way_to_its_runner_a_callback_is_just_called_and_the_log_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streamlit_internals, "get_script_run_ctx", lambda: object())
    assert [uninterrupted(lambda: 7)() for _ in range(3)] == [7, 7, 7]
    assert warnings(caplog).count("_execing") == 1


def test_without_the_context_the_module_is_imported_all_the_same() -> None:
    script = (
        "import sys, streamlit; sys.modules['streamlit.runtime.scriptrunner'] = None\n"
        "from pages.ui.streamlit_internals import uninterrupted\n"
        "print(uninterrupted(lambda: 7)())"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "7"


def test_nothing_else_touches_what_streamlit_does_not_document() -> None:
    inside = re.compile(r"streamlit\.(runtime|proto|config|web|elements|commands|util|source_util)\b|import config\b")
    files = [PROJECT / "streamlit_app.py", *(PROJECT / "pages").rglob("*.py")]
    touching = {path.name for path in files if inside.search(path.read_text(encoding="utf-8"))}
    assert touching == {"streamlit_internals.py"}


def test_outside_of_streamlit_there_is_no_context() -> None:
    assert get_script_run_ctx(suppress_warning=True) is None
    assert threading.current_thread() is threading.main_thread()


def test_no_browser_clears_what_all_sessions_share() -> None:
    @st.cache_resource
    def shared() -> object:
        return object()

    before = shared()
    streamlit_internals.keep_shared_state()
    app_session.AppSession._handle_clear_cache_request(None)  # type: ignore[arg-type]
    assert shared() is before


def test_the_server_leaves_the_address_of_a_connection_as_it_is() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["client"])

    seen: list[Any] = []
    streamlit_internals.ignore_forwarded_addresses()
    loaded = uvicorn.Config(app, lifespan="off")
    loaded.load()
    forged = [(b"x-forwarded-for", b"10.9.9.9")]
    scope = {"type": "http", "client": ("127.0.0.1", 1), "scheme": "http", "headers": forged}
    run_in_thread(loaded.loaded_app(scope, None, None))
    assert seen == [("127.0.0.1", 1)]
