"""The only module that uses what Streamlit does not document.

tests/pages/test_streamlit_internals.py asserts each name used here on the real classes, so that an update of Streamlit
that moves one fails there. In production a name that is missing costs what it was for, and leaves a warning in the log;
the pages still work.
"""

from __future__ import annotations

import json
import logging
import socket
from asyncio import base_events
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from core.api.session_guard import SignInRoutes
from core.logs import log

try:
    from streamlit.runtime.scriptrunner import get_script_run_ctx
except ImportError:

    def get_script_run_ctx(suppress_warning: bool = False) -> Any:  # type: ignore[misc]  # noqa: ARG001
        return None


USER_COOKIE = "_streamlit_user"

Args = ParamSpec("Args")
Result = TypeVar("Result")


def patch_streamlit(hosts: Iterable[str] = (), secrets: Path | None = None) -> None:
    """What the server needs before its first session: the `hosts` that it is reached by, and its file of `secrets`."""
    with _degraded("people cannot sign in"):
        read_secrets_from(secrets)
    with _degraded("websockets are guarded by our own check alone"):
        allow_hosts(hosts)
    with _degraded("any visitor can empty what all sessions share"):
        keep_shared_state()
    with _degraded("behind a proxy, visitors may say themselves which address they come from"):
        ignore_forwarded_addresses()
    with _degraded("a fresh server may answer a deep link with 'page not found'"):
        ignore_pages_directory()
    with _degraded("buttons of a fragment may stop working while another one runs"):
        install_fragment_queue()
    with _degraded("answers to browsers may take 40 ms longer"):
        send_without_delay()


def uninterrupted(callback: Callable[Args, Result]) -> Callable[Args, Result]:
    """Run `callback` so that no other request of its session interrupts it or runs beside it.

    Streamlit breaks a run off for the next request wherever it touches the session's state, also in a callback: what a
    person asked for is then forgotten, half done or not begun. The next request's run begins at once, in a thread of
    its own; its callbacks wait here until this one is through.
    """

    @wraps(callback)
    def run_whole(*args: Args.args, **kwargs: Args.kwargs) -> Result:
        context: Any = get_script_run_ctx()
        runner = _script_runner(context)
        if runner is None or not runner._execing:  # outside of a run, or in a callback that is uninterrupted already
            return callback(*args, **kwargs)
        from pages.ui.resources import session_lock

        runner._execing = False  # the flag by which a runner knows that it may be broken off
        try:
            with session_lock(context.session_id):
                return callback(*args, **kwargs)
        finally:
            runner._execing = True

    return run_whole


def _script_runner(context: Any) -> Any:
    """The ScriptRunner of a run's context; None without a context, or where it cannot be found."""
    if context is None:
        return None
    runner = getattr(getattr(context, "_enqueue", None), "__self__", None)
    if not hasattr(runner, "_execing"):
        _warn("callbacks may be broken off by the next click", "ScriptRunContext._enqueue or ScriptRunner._execing")
        return None
    return runner


def values_in_link(key: str) -> list[str]:
    """What a widget bound to the address will hold in this run, before it is drawn, as the address writes it.

    After Back and Forward that is the address's, while the session still holds what the widget had before.
    """
    if key not in st.session_state or getattr(get_script_run_ctx(), "is_history_navigation", False):
        return st.query_params.get_all(key)
    value = st.session_state[key]
    values = value if isinstance(value, list | tuple) else [value]
    return [str(each) for each in values if each is not None]


def session_id() -> str:
    """The id of the session of this run, under which its uploads arrive; empty outside of a run."""
    return str(getattr(get_script_run_ctx(), "session_id", "") or "")


def remove_upload(file: Any) -> None:
    """Remove an uploaded file of this session from Streamlit's memory, where it would stay until the session ends."""
    context: Any = get_script_run_ctx()
    with _degraded("uploaded files stay in memory until their session ends"):
        if context is not None:
            context.uploaded_file_mgr.remove_file(session_id=context.session_id, file_id=file.file_id)


def held_upload_bytes(sessions: Iterable[str]) -> int:
    """How many bytes of uploaded files Streamlit holds in memory for some sessions; 0 if that cannot be found out."""
    with _degraded("how much a session has uploaded is not limited"):
        from streamlit import runtime

        if runtime.exists():
            held: Any = runtime.get_instance().uploaded_file_mgr
            files = [file for name in sessions for file in list(held.file_storage.get(name, {}).values())]
            return sum(len(file.data) for file in files)
    return 0


def allow_upload_size(megabytes: int) -> None:
    """Let Streamlit's upload route take files of this size; an option like that of `allow_hosts`."""
    with _degraded("files that CONTACTSHEET_UPLOAD_MB allows may be refused"):
        from streamlit import config

        if "server.maxUploadSize" not in config._config_options_template:
            raise AttributeError("server.maxUploadSize")
        config.set_option("server.maxUploadSize", megabytes, "CONTACTSHEET_UPLOAD_MB")


def install_fragment_queue() -> None:
    """Make all future sessions send through a `fragment_queue_class()`. Raises ImportError, AttributeError."""
    from streamlit.runtime import app_session

    if not hasattr(app_session, "ForwardMsgQueue"):
        raise AttributeError("app_session.ForwardMsgQueue")
    vars(app_session)["ForwardMsgQueue"] = fragment_queue_class()


@lru_cache(maxsize=1)
def fragment_queue_class() -> type[Any]:
    """A ForwardMsgQueue that does not report a fragment which has ended as broken off. Raises ImportError.

    When a fragment begins before the end of another one was sent, Streamlit reports to the browser that the other one
    was broken off, although all it drew is on the way. The browser then leaves there what that one did not draw again:
    buttons without use. Here a fragment that has ended has ended, unless it is the one that begins again.
    """
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
    from streamlit.runtime.forward_msg_queue import ForwardMsgQueue

    ended_well = ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY

    class FragmentQueue(ForwardMsgQueue):
        def clear(self, retain_lifecycle_msgs: bool = False, fragment_ids_this_run: list[str] | None = None) -> None:
            ended = [
                message
                for message in self._queue
                if message.WhichOneof("type") == "script_finished"
                and message.script_finished == ended_well
                and fragment_ids_this_run is not None
                and not set(message.metadata.run.fragment_ids) & set(fragment_ids_this_run)
            ]
            super().clear(retain_lifecycle_msgs, fragment_ids_this_run)
            for message in ended:
                message.script_finished = ended_well

    return FragmentQueue


def allow_hosts(names: Iterable[str]) -> None:
    """Let Streamlit accept websockets under these host names alone.

    The option is documented, but can be set by a file, a flag or the environment only. Raises ImportError,
    AttributeError.
    """
    from streamlit import config

    if "server.allowedHosts" not in config._config_options_template:
        raise AttributeError("server.allowedHosts")
    config.set_option("server.allowedHosts", sorted(names), "CONTACTSHEET_HOSTS")


def keep_shared_state() -> None:
    """Let no browser clear the caches of the server: any may ask for it, and they hold what all sessions share.

    Raises ImportError, AttributeError.
    """
    from streamlit.runtime.app_session import AppSession

    if not hasattr(AppSession, "_handle_clear_cache_request"):
        raise AttributeError("AppSession._handle_clear_cache_request")
    AppSession._handle_clear_cache_request = _do_nothing  # type: ignore[method-assign,assignment]


def _do_nothing(session: Any) -> None:
    pass


def ignore_forwarded_addresses() -> None:
    """Leave the address of a connection as it is: whose word about it counts, CONTACTSHEET_CLIENT_HEADER says.

    The server would take it from X-Forwarded-For wherever a connection comes from loopback, also where the proxy there
    passes on what a visitor has written into it. Raises ImportError, AttributeError.
    """
    from uvicorn import config

    if not hasattr(config, "ProxyHeadersMiddleware"):
        raise AttributeError("uvicorn.config.ProxyHeadersMiddleware")
    vars(config)["ProxyHeadersMiddleware"] = _unchanged


def _unchanged(app: Any, trusted_hosts: Any = None) -> Any:  # noqa: ARG001
    return app


def read_secrets_from(path: Path | None) -> None:
    """Let Streamlit read `[auth]` where our own settings are read, if that is a file.

    The option is documented, but can be set by a file, a flag or the environment only. Raises ImportError,
    AttributeError.
    """
    from streamlit import config

    if "secrets.files" not in config._config_options_template:
        raise AttributeError("secrets.files")
    if path is not None and path.is_file():
        config.set_option("secrets.files", [str(path)], "CONTACTSHEET_SECRETS")


def sign_in_routes() -> SignInRoutes:
    """How Streamlit remembers who signed in with st.login; nobody is signed in where that cannot be told."""

    def read_claims(cookies: Mapping[str, str]) -> Mapping[str, Any] | None:
        try:
            return read_sign_in_cookie(cookies)
        except (ImportError, AttributeError, TypeError) as error:
            _warn("people cannot sign in", str(error))
            return None

    redirect = ""
    with suppress(Exception):  # no file of secrets, or one that is no TOML: pages say so
        redirect = str(st.secrets.get("auth", {}).get("redirect_uri", ""))
    return SignInRoutes(USER_COOKIE, read_claims, over_tls=redirect.startswith("https://"))


def read_sign_in_cookie(cookies: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The claims in Streamlit's cookie of who signed in, if it has signed it. Raises ImportError, AttributeError."""
    from streamlit.auth_util import get_cookie_with_chunks
    from streamlit.web.server.server_util import get_cookie_secret
    from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

    def part(name: str) -> bytes | None:
        value = cookies.get(name)
        return decode_signed_value(get_cookie_secret(), name, value.encode("latin-1")) if value else None

    content = get_cookie_with_chunks(part, USER_COOKIE)
    claims = json.loads(content) if content else None
    return claims if isinstance(claims, dict) else None


def ignore_pages_directory() -> None:
    """Turn off the discovery of pages/ as the old layout of one file per page.

    It would do so until the first run has ended, and answer a deep link with "page not found". Raises ImportError,
    AttributeError.
    """
    from streamlit.runtime.pages_manager import PagesManager

    if not hasattr(PagesManager, "uses_pages_directory"):
        raise AttributeError("PagesManager.uses_pages_directory")
    PagesManager.uses_pages_directory = False


def send_without_delay() -> None:
    """Let every TCP connection to come send small packets at once, as asyncio means to. Raises AttributeError.

    Streamlit creates its listening socket without naming the protocol. asyncio then does not recognise the connections
    it accepts as TCP and leaves Nagle's algorithm on: the second part of an answer waits until the browser has
    acknowledged the first, which it may put off for 40 ms (delayed acknowledgement).
    """
    if not hasattr(base_events, "_set_nodelay"):
        raise AttributeError("asyncio.base_events._set_nodelay")
    vars(base_events)["_set_nodelay"] = _set_nodelay


def _set_nodelay(connection: socket.socket) -> None:
    if connection.family in (socket.AF_INET, socket.AF_INET6) and connection.type == socket.SOCK_STREAM:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@contextmanager
def _degraded(consequence: str) -> Iterator[None]:
    """Continue without an internal name that Streamlit no longer has."""
    try:
        yield
    except (ImportError, AttributeError, TypeError) as error:
        _warn(consequence, str(error))


@lru_cache(maxsize=16)
def _warn(consequence: str, missing: str) -> None:
    """Log once per process that an internal name of Streamlit is missing, and the consequence."""
    log(
        "pages",
        "Streamlit has changed inside",
        logging.WARNING,
        version=st.__version__,
        missing=missing,
        consequence=consequence,
    )
