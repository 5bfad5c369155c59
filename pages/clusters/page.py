"""Clusters: the groups in the collection, and how curators edit them."""

from __future__ import annotations

import streamlit as st

from core.app import DEMO, App
from core.errors import ContactSheetError
from pages.clusters.explorer import show_explorer
from pages.ui import resources
from pages.ui.error_line import showing_errors
from pages.ui.format import escape_markdown, sentence
from pages.ui.header import collection_header
from pages.ui.job_retry import retry_job_button
from pages.ui.notices import wait_for_demo
from pages.ui.person import person
from pages.ui.progress import show_progress

MIN_PICTURES = 2


def main() -> None:
    app = resources.app()
    collection = collection_header(app, "Clusters", reset_collection_state)
    if collection == DEMO:
        wait_for_demo()
    pictures = app.size(collection)
    if pictures < MIN_PICTURES:
        st.info("There is nothing to group yet: add pictures on the Library page.", icon=":material/photo_library:")
        return
    with st.spinner("Loading the clusters"):
        base = app.clusters.base(collection)
    if base is None or not base.complete:
        app.clusters.refresh(collection, person().author)
        show_linking(app, collection, waiting=base is None)
    if base is not None:
        show_explorer(app, collection)


def reset_collection_state() -> None:
    """Another collection has other drafts, thresholds and clusters."""
    for name in ("draft", "t", "min", "cluster"):
        st.query_params.pop(name, None)
    st.session_state.pop("picked", None)


def show_linking(app: App, collection: str, waiting: bool) -> None:
    """Progress of the background job that links pictures; without a dendrogram the page can only wait."""
    if waiting:
        st.info("All pictures are being compared with each other, once. Large collections take a moment.")
    st.fragment(_show_link_job, run_every=1.0)(app, collection, waiting)


def _show_link_job(app: App, collection: str, waiting: bool) -> None:
    with showing_errors():
        _show_latest_link_job(app, collection, waiting)


def _show_latest_link_job(app: App, collection: str, waiting: bool) -> None:
    job = next((j for j in app.library.jobs(20) if j.kind == "link" and j.collection == collection), None)
    if job is None:
        return
    if job.open:
        note = "" if waiting else "New pictures are shown where they fit best until they are linked in. "
        show_progress(st.empty(), job.progress, note)
    elif job.state != "done":
        st.error(f"Linking ended: {escape_markdown(job.message)}", icon=":material/error:")
        retry_job_button(app, job)
    elif waiting or not st.session_state.get(f"linked {job.id}"):
        st.session_state[f"linked {job.id}"] = True
        st.rerun()


try:
    main()
except ContactSheetError as error:
    st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
