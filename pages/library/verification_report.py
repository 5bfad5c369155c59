"""What the newest verification of a collection found, and a form to verify it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.app import App
from core.library.backup.service import EVERYTHING, VERIFY_JOB
from core.records.jobs import Failure, Job
from core.records.verification import VerificationOptions
from core.text import counted
from pages.library.outcome_notice import run_and_notify
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import person

JOBS_LOOKED_AT, MAX_READ, MAX_LISTED = 200, 2000, 50


def show_verification(app: App, collection: str) -> None:
    """When it was verified last and what is damaged, with a form for curators."""
    st.markdown("**Verification**")
    job = newest_verification(app.library.jobs(JOBS_LOOKED_AT), collection)
    if job is None:
        st.caption("Not verified yet: whether every thumbnail and vector is still what was written.")
    elif job.open:
        st.caption(":material/progress_activity: It is being verified: see the jobs below.")
    else:
        show_outcome(app, job, collection)
    if app.access.is_curator(person()):
        verification_form(app, collection, running=job is not None and job.open)


def newest_verification(jobs: Sequence[Job], collection: str) -> Job | None:
    """The newest one that covers the collection; `jobs` are sorted, the newest first."""
    covering = (job for job in jobs if job.kind == VERIFY_JOB and job.collection in (collection, EVERYTHING))
    return next(covering, None)


def show_outcome(app: App, job: Job, collection: str) -> None:
    """How a verification ended: one line, and what is damaged."""
    when = f"{job.ended_at:%-d %B %Y, %H:%M} UTC" if job.ended_at else ""
    found = damage_of(app.library.failures(job.id, MAX_READ), collection)
    line = escape_markdown(f"{when}: {sentence(job.message)}")
    if job.state == "done":
        st.success(line, icon=":material/verified:")
    elif found:
        st.error(line, icon=":material/broken_image:")
        for failure in found[:MAX_LISTED]:
            st.text(failure.detail.removeprefix(f"{collection}: "))
        if len(found) > MAX_LISTED:
            st.caption(f"The first {MAX_LISTED} of {counted(len(found), 'damaged part')} are listed.")
        st.caption(
            "What can be made again from the original files is mended on request. What is left damaged comes back "
            "from a backup, restored under another name, or with its pictures removed and added again."
        )
    else:  # it failed, or what it found is elsewhere
        st.warning(line, icon=":material/warning:")


def damage_of(failures: Sequence[Failure], collection: str) -> list[Failure]:
    """Those that concern the collection; a verification of everything lists those of all."""
    return [failure for failure in failures if failure.detail.startswith(f"{collection}: ")]


def verification_form(app: App, collection: str, running: bool) -> None:
    with st.form("verify", border=False):
        st.checkbox(
            "Read the original files too",
            key="verify_originals",
            help="Each is compared with the picture that was added; for large files this takes a while",
        )
        st.checkbox(
            "Mend what can be made again from them",
            key="verify_mend",
            help="Thumbnails and vectors from the original files, the dendrogram and the map from the vectors",
        )
        st.form_submit_button(
            "Verify",
            icon=":material/fact_check:",
            disabled=running,
            on_click=run_and_notify,
            args=(lambda: start_verification(app, collection),),
        )


def start_verification(app: App, collection: str) -> str:
    options = VerificationOptions(st.session_state["verify_originals"], st.session_state["verify_mend"])
    app.backups.start_verification(person(), collection, options)
    return f"{collection} is being verified: see the jobs below."
