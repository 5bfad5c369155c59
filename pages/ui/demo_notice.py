"""What a page shows while the demo collection is being built."""

from __future__ import annotations

import streamlit as st

from pages.ui.progress import show_progress
from pages.ui.resources import DemoBuild, demo_build, retry_demo_build


def wait_for_demo() -> None:
    """Return at once if the demo collection is there; otherwise show the progress and end this run of the page."""
    build = demo_build()
    build.wait(1.5)
    if build.error is not None:
        st.error(f"The demo collection could not be built: {build.error}", icon=":material/error:")
        st.button("Try again", on_click=retry_demo_build)
        st.stop()
    if build.running:
        _progress(build)
        st.stop()


@st.fragment(run_every=1.0)
def _progress(build: DemoBuild) -> None:
    show_progress(st.empty(), build.progress, "The demo collection is being built. ")
    if not build.running:
        st.rerun()
