"""What all sessions of one server share; the only place with st.cache_*."""

from __future__ import annotations

import logging
import threading

import streamlit as st

from core.app import DEMO, App, open_app
from core.errors import ContactSheetError
from core.logs import log
from core.records import Progress


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


@st.cache_resource(show_spinner=False)
def demo_build() -> DemoBuild:
    """The one build of the demo collection in this server."""
    return DemoBuild(app())


def retry_demo_build() -> None:
    """Forget a failed build, so that the next look at it starts again."""
    demo_build.clear()
