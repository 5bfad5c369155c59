"""A job that started by itself and failed: it does so once per collection version, then a curator may try again."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.jobs import Job
from pages.ui.format import escape_markdown
from pages.ui.person import person
from pages.ui.streamlit_internals import uninterrupted


def retry_job_button(app: App, job: Job) -> None:
    """A button for curators that starts the job again."""
    if app.access.is_curator(person()):
        st.button("Try again", key=f"retry_job_{job.id}", icon=":material/replay:", on_click=retry_job, args=(app, job))


@uninterrupted
def retry_job(app: App, job: Job) -> None:
    try:
        app.library.resume(person(), job.id)
    except ContactSheetError as error:
        st.toast(escape_markdown(str(error)), icon=":material/error:")
