"""What all sessions of one server share; the only place with st.cache_*."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

import streamlit as st

from core.app import DEMO, App, open_app
from core.errors import CollectionDamaged, ContactSheetError, SettingError
from core.logs import log
from core.metrics.metrics_server import MetricsServer
from core.periodic import Periodic
from core.records.jobs import Progress
from pages.quality.evaluation_job import EvaluationRunner

MAX_SESSIONS = 10_000


class DemoBuild:
    """Builds the demo collection in the background unless it is complete, then loads what its first search needs."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.progress = Progress("", 0, 0)
        self.error: str | None = None
        self.damaged = False
        self._settled = threading.Event()
        threading.Thread(target=self._run, name="demo-build", daemon=True).start()

    @property
    def running(self) -> bool:
        """Whether the collection is still being built."""
        return not self._settled.is_set()

    def wait(self, seconds: float) -> None:
        """Wait up to `seconds` for the build to end: one with nothing to do finds that out in a moment."""
        self._settled.wait(seconds)

    def _run(self) -> None:
        try:
            self._app.ensure_demo(self._on_progress)
            self._settled.set()
            self._app.warm(DEMO)
            _ = self._app.encoders.notice  # looks for the network once, here rather than while a page waits
        except ContactSheetError as error:
            self.error, self.damaged = str(error), isinstance(error, CollectionDamaged)
        except Exception as error:  # noqa: BLE001 - the page must say how the thread ended, whatever ended it
            log("pages", "demo build failed", level=logging.ERROR, error=repr(error))
            self.error = f"the demo collection could not be built ({type(error).__name__}): see the log, then reload"
        finally:
            self._settled.set()

    def _on_progress(self, progress: Progress) -> None:
        self.progress = progress


@st.cache_resource(show_spinner=False)
def app() -> App:
    """The one App of this server. Raises SettingError."""
    return open_app()


@dataclass(frozen=True)
class MonitoringServices:
    """What runs beside the pages: alerts are checked, backups and rescans started when they are due, metrics served.

    `error` says why these are not, if so.
    """

    watches: tuple[Periodic, ...]
    server: MetricsServer | None
    error: str = ""

    @property
    def address(self) -> str:
        """Where metrics are served, `HOST:PORT`; empty where they are not."""
        return self.server.address if self.server else ""

    def close(self) -> None:
        for watch in self.watches:
            watch.close()
        if self.server:
            self.server.close()


@st.cache_resource(show_spinner=False, on_release=MonitoringServices.close)
def monitoring() -> MonitoringServices:
    """The one set of monitoring services of this server. Raises SettingError."""
    monitor = app().monitor
    try:
        server, message = monitor.serve(), ""
    except SettingError as error:
        log("metrics", "metrics are not served", logging.ERROR, error=str(error))
        server, message = None, str(error)
    watches = (monitor.watch(), app().backups.watch(), app().sources.watch())
    return MonitoringServices(tuple(filter(None, watches)), server, message)


@st.cache_resource(show_spinner=False)
def demo_build() -> DemoBuild:
    """The one build of the demo collection in this server."""
    return DemoBuild(app())


@st.cache_resource(show_spinner=False)
def evaluations() -> EvaluationRunner:
    """The evaluations of this server, one at a time. Raises SettingError."""
    return EvaluationRunner(app())


def retry_demo_build() -> None:
    """Forget a failed build, so that the next look at it starts again."""
    demo_build.clear()


@st.cache_resource(max_entries=MAX_SESSIONS, show_spinner=False)
def session_lock(session_id: str) -> threading.Lock:  # noqa: ARG001 - the key that it is cached by
    """What a session's callbacks hold while they run, one at a time."""
    return threading.Lock()
