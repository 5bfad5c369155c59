"""Notices that several pages share: the demo collection being built, and rankings that come from a mock server."""

from __future__ import annotations

import math

import streamlit as st

from core.app import DEMO, App
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import person
from pages.ui.progress import show_progress
from pages.ui.resources import DemoBuild, app, demo_build, retry_demo_build


def show_mock_server_notice(app: App) -> None:
    """Say so if rankings come from a mock server instead of Gemini."""
    if app.settings.mock_server_host and app.settings.gemini_api_key:
        host = escape_markdown(app.settings.mock_server_host)
        st.caption(f":material/science: Rankings come from a mock server at {host}, not from Gemini.")


def wait_for_demo() -> None:
    """Return if the demo collection is complete; otherwise show the progress and stop this run of the page."""
    build = demo_build()
    build.wait(1.5)
    if build.damaged and app().is_whole(DEMO):  # it was restored or deleted meanwhile
        retry_demo_build()
        build = demo_build()
        build.wait(1.5)
    if build.damaged:
        st.error(escape_markdown(sentence(str(build.error))), icon=":material/error:")
        st.page_link("pages/library/page.py", label="Restore or delete it on the Library page", icon=":material/build:")
        st.stop()
    if build.error is not None:
        problem = escape_markdown(str(build.error))
        st.error(f"The demo collection could not be built: {problem}", icon=":material/error:")
        st.button("Try again", on_click=retry_build)
        st.stop()
    if build.running:
        _show_build_progress(build)
        st.stop()


def retry_build() -> None:
    """Build the demo collection again; whoever is no curator may ask for it once a minute, all of them together."""
    served = app()
    wait_s = None if served.access.is_curator(person()) else served.rates.take("demo build", "", 1, 60)
    if wait_s is None:
        retry_demo_build()
    else:
        st.toast(f"It was tried a moment ago: try again in {math.ceil(wait_s)} s.", icon=":material/timer:")


@st.fragment(run_every=1.0)
def _show_build_progress(build: DemoBuild) -> None:
    show_progress(st.empty(), build.progress, "The demo collection is being built. ")
    if not build.running:
        st.rerun()
