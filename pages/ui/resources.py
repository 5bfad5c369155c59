"""What all sessions of one server share; the only place with st.cache_*."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

import streamlit as st

from core.app import DEMO, App, open_app
from core.errors import ContactSheetError, SettingError
from core.logs import log
from core.metrics.alert_service import AlertWatcher
from core.metrics.metrics_server import MetricsServer
from core.records.jobs import Progress
from pages.quality.evaluation_job import Evaluations

MOST_SESSIONS = 10_000


class DemoBuild:
    """The demo collection being built in the background, or found complete; what it needs is loaded afterwards."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.progress = Progress("", 0, 0)
        self.error: str | None = None
        self._settled = threading.Event()
        threading.Thread(target=self._run, name="demo-build", daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether the collection is still being built."""
        return not self._settled.is_set()

    def wait(self, seconds: float) -> None:
        """Give a build that has nothing to do the moment it needs to find that out."""
        self._settled.wait(seconds)

    def _run(self) -> None:
        try:
            self._app.ensure_demo(self._listen)
            self._settled.set()
            self._app.warm(DEMO)
            _ = self._app.encoders.notice  # looks for the network once, here rather than while a page waits
        except ContactSheetError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - the page must say how the thread ended, whatever ended it
            log("pages", "demo build failed", level=logging.ERROR, error=repr(error))
            self.error = f"the demo collection could not be built ({type(error).__name__}): see the log, then reload"
        finally:
            self._settled.set()

    def _listen(self, progress: Progress) -> None:
        self.progress = progress


@st.cache_resource(show_spinner=False)
def app() -> App:
    """The one App of this server. Raises SettingError."""
    return open_app()


@dataclass(frozen=True)
class Watching:
    """What goes on beside the pages: alerts are checked, metrics served; `fault` says why they are not, if so."""

    watch: AlertWatcher
    server: MetricsServer | None
    fault: str = ""

    @property
    def address(self) -> str:
        """Where metrics are served, `HOST:PORT`; nothing where they are not."""
        return self.server.address if self.server else ""

    def close(self) -> None:
        self.watch.close()
        if self.server:
            self.server.close()


@st.cache_resource(show_spinner=False, on_release=Watching.close)
def watching() -> Watching:
    """The one watch over this server. Raises SettingError."""
    monitor = app().monitor
    try:
        server, fault = monitor.serve(), ""
    except SettingError as error:
        log("metrics", "metrics are not served", logging.ERROR, error=str(error))
        server, fault = None, str(error)
    return Watching(monitor.watch(), server, fault)


@st.cache_resource(show_spinner=False)
def demo_build() -> DemoBuild:
    """The one build of the demo collection in this server."""
    return DemoBuild(app())


@st.cache_resource(show_spinner=False)
def evaluations() -> Evaluations:
    """The evaluations of this server, one at a time. Raises SettingError."""
    return Evaluations(app())


def retry_demo_build() -> None:
    """Forget a failed build, so that the next look at it starts again."""
    demo_build.clear()


@st.cache_resource(max_entries=MOST_SESSIONS, show_spinner=False)
def turn_of(session_id: str) -> threading.Lock:  # noqa: ARG001 - what it is remembered by
    """What a session's callbacks hold while they are carried out, one at a time."""
    return threading.Lock()
