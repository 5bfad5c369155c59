"""Background jobs: how far they are, how they ended, and what one can do about it."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.jobs import Job
from pages.ui.format import plain
from pages.ui.person import person
from pages.ui.progress import progress_text
from pages.ui.streamlit_internals import uninterrupted

SHOWN = 5
FAILURES_SHOWN = 200
REFRESH_S = 1.0
REFUSED = "job_refused"
KINDS = {"embed": "embedding again", "link": "linking", "map": "laying out the map"}
ICONS = {
    "queued": ":material/schedule:",
    "running": ":material/progress_activity:",
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "cancelled": ":material/cancel:",
    "crashed": ":material/warning:",
}


def show_jobs(app: App) -> None:
    """The newest jobs; refreshed by itself while one is running."""
    jobs = app.library.jobs(SHOWN)
    if not jobs:
        return
    st.subheader("Jobs", anchor=False)
    running = any(job.open for job in jobs)
    st.fragment(_list, run_every=REFRESH_S if running else None)(app, running)


def _list(app: App, running: bool) -> None:
    jobs = app.library.jobs(SHOWN)
    for job in jobs:
        with st.container(border=True):
            _show(app, job)
    if running != any(job.open for job in jobs):
        st.rerun()  # to be refreshed from now on, or no longer


def _show(app: App, job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        what = f" · {KINDS[job.kind]}" if job.kind in KINDS else ""
        st.markdown(f"{ICONS[job.state]} **{plain(job.collection)}**{what} · {job.state}", width="content")
        _actions(app, job)
    if job.open:
        share = job.progress.done / job.progress.total if job.progress.total else 0.0
        st.progress(
            min(share, 1.0),
            text="Stopping after the current batch" if job.cancel_requested else progress_text(job.progress),
        )
        return
    st.caption(plain(job.message))
    _failures(app, job)


def _actions(app: App, job: Job) -> None:
    if not app.access.is_curator(person()):
        return
    if job.open:
        if not job.cancel_requested:
            _button(app, job, "Cancel", "cancel", ":material/stop_circle:")
        return
    if job.state in ("cancelled", "crashed", "failed"):
        _button(app, job, "Resume", "resume", ":material/replay:")
    elif app.library.failures(job.id, 1):
        _button(app, job, "Retry", "retry", ":material/replay:")


def _button(app: App, job: Job, label: str, how: str, icon: str) -> None:
    st.button(label, key=f"{how}_{job.id}", icon=icon, on_click=take_in_hand, args=(app, job.id, how))
    refused = st.session_state.get(REFUSED)
    if refused and refused[0] == job.id:
        st.error(plain(refused[1]))


@uninterrupted
def take_in_hand(app: App, job_id: int, how: str) -> None:
    """`cancel`, `resume` or `retry` a job; what speaks against it is said beside it."""
    st.session_state.pop(REFUSED, None)
    try:
        getattr(app.library, how)(person(), job_id)
    except ContactSheetError as error:
        st.session_state[REFUSED] = (job_id, str(error))


def _failures(app: App, job: Job) -> None:
    reasons = app.library.failures_by_reason(job.id)
    if not reasons:
        return
    total = sum(count for _, count in reasons)
    shown = st.expander(f"{total} files were skipped", key=f"failures_{job.id}", on_change="rerun")
    if not shown.open:
        return
    with shown:
        failures = app.library.failures(job.id, FAILURES_SHOWN)
        for reason, count in reasons:
            st.markdown(f"**{plain(reason)}** · {count}")
            for failure in (f for f in failures if f.reason == reason):
                st.text(f"{failure.uri}" + (f"  ({failure.detail})" if failure.detail else ""))
        if total > len(failures):
            st.caption(f"The first {len(failures)} of {total} are listed.")
