"""Contact Sheet: `streamlit run streamlit_app.py`, or `make run`.

`streamlit run` imports this file once, as the server's application, and then runs it as a script for every session.
"""

import gc
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress

import streamlit as st

# A full collection looks at everything torch and LanceDB loaded and stops all sessions for 0.3 s and more. With
# Python's defaults (700, 10, 10) one comes every 70 script runs or so, with these every thousand.
GC_THRESHOLDS = (10_000, 10, 10)


def navigate() -> None:
    """Run the page that the address asks for; the bare address leads to the search and keeps what it asks for."""
    from pages.ui.alert_badge import show_alert_badge
    from pages.ui.history import keep_history

    st.set_page_config(page_title="Contact Sheet", page_icon="🎞️", layout="wide")
    search = st.Page("pages/search/page.py", title="Search", icon=":material/search:", url_path="search")
    clusters = st.Page("pages/clusters/page.py", title="Clusters", icon=":material/bubble_chart:", url_path="clusters")
    library = st.Page("pages/library/page.py", title="Library", icon=":material/photo_library:", url_path="library")
    metrics = st.Page("pages/metrics/page.py", title="Metrics", icon=":material/monitoring:", url_path="metrics")
    quality = st.Page("pages/quality/page.py", title="Quality", icon=":material/verified:", url_path="quality")

    def start() -> None:
        st.switch_page(search, query_params={name: st.query_params.get_all(name) for name in st.query_params})

    bare = st.Page(start, title="Contact Sheet", url_path="start", default=True, visibility="hidden")
    page = st.navigation([bare, search, clusters, library, metrics, quality], position="top")
    if page is not bare:
        keep_history()
        show_alert_badge()
    with nullcontext() if page is bare else rendering(page.url_path):
        page.run()


def rendering(name: str) -> AbstractContextManager[None]:
    """Leaves an event of a page's run; where there is no App the page meets the same error and shows it."""
    from core.errors import ContactSheetError
    from pages.ui.resources import app

    try:
        return app().requests.recording_page(name)
    except ContactSheetError:
        return nullcontext()


@asynccontextmanager
async def warming(_: object) -> AsyncIterator[None]:
    """Load what the first search needs while the first person is still on their way, and watch from now on."""
    gc.set_threshold(*GC_THRESHOLDS)
    threading.Thread(target=warm, name="warm", daemon=True).start()
    yield


def warm() -> None:
    from core import __version__
    from core.errors import ContactSheetError
    from core.logs import log
    from pages.ui.resources import demo_build, monitoring

    with suppress(ContactSheetError):  # the page meets the same error and shows it
        monitoring()
        log("server", "started", version=__version__)
        demo_build()


if __name__ == "__main__":
    navigate()
else:
    from pages.ui.plotly_js import plotly_route
    from pages.ui.routes import (
        connection_guard,
        routes,
        served_hosts,
        session_guard,
        settings_or_defaults,
        upload_guard,
    )
    from pages.ui.streamlit_internals import patch_streamlit

    patch_streamlit(served_hosts().names, settings_or_defaults().secrets)
    app = st.App(
        __file__,
        lifespan=warming,
        routes=[plotly_route(), *routes()],
        middleware=[connection_guard(), session_guard(), upload_guard()],
    )
