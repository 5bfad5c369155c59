"""Background jobs: progress, outcome, and buttons to cancel, resume or retry them."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.access import Person
from core.app import App
from core.errors import ContactSheetError
from core.library.backup.service import BACKUP_JOB, RESTORE_JOB, VERIFY_JOB
from core.records.jobs import Failure, Job
from core.text import counted
from pages.ui.error_line import showing_errors
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import person
from pages.ui.progress import progress_text
from pages.ui.streamlit_internals import uninterrupted

MAX_JOBS = 5
MAX_FAILURES = 200
REFRESH_S = 1.0
REFUSAL_KEY = "job_refused"
KINDS = {
    "embed": "embedding again",
    "link": "linking",
    "map": "laying out the map",
    "backup": "backing up",
    "restore": "restoring",
    "verify": "verifying",
    "rescan": "rescanning",
}
# How jobs that failed are called which did all they could, and what they list: the noun, and what happened to each.
FINDINGS = {"backup": ("incomplete", "part", "left out"), "verify": ("found damage", "part", "damaged")}
FILES = ("failed", "file", "skipped")
ICONS = {
    "queued": ":material/schedule:",
    "running": ":material/progress_activity:",
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "cancelled": ":material/cancel:",
    "crashed": ":material/warning:",
}


def show_jobs(app: App) -> None:
    """The newest jobs; refreshed automatically while one is running."""
    jobs = app.library.jobs(MAX_JOBS)
    if not jobs:
        return
    st.header("Jobs", anchor=False)
    running = any(job.open for job in jobs)
    st.fragment(_show_list, run_every=REFRESH_S if running else None)(app, running)


def _show_list(app: App, running: bool) -> None:
    with showing_errors():
        jobs = app.library.jobs(MAX_JOBS)
        for job in jobs:
            with st.container(border=True):
                _show_job(app, job)
        if running != any(job.open for job in jobs):
            st.rerun()  # to start or stop refreshing


def _show_job(app: App, job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        kind = f" · {KINDS[job.kind]}" if job.kind in KINDS else ""
        state = _state_words(app, job)
        st.markdown(f"{ICONS[job.state]} **{escape_markdown(job.collection)}**{kind} · {state}", width="content")
        _show_actions(app, job)
    if job.open:
        share = job.progress.done / job.progress.total if job.progress.total else 0.0
        st.progress(
            min(share, 1.0),
            text="Stopping after the current batch" if job.cancel_requested else progress_text(job.progress),
        )
        return
    st.caption(escape_markdown(job.message))
    _show_failures(app, job)


def _state_words(app: App, job: Job) -> str:
    """What became of it; a check that found damage, or a backup that left some out, did not fail."""
    if job.state == "failed" and job.kind in FINDINGS and app.library.failures(job.id, 1):
        return FINDINGS[job.kind][0]
    return job.state


def _show_actions(app: App, job: Job) -> None:
    if not app.access.is_curator(person()):
        return
    if job.open:
        if not job.cancel_requested:
            _action_button(job, "Cancel", app.library.cancel, ":material/stop_circle:")
        return
    if job.kind in (BACKUP_JOB, RESTORE_JOB, VERIFY_JOB):
        if job.state != "done":
            _action_button(job, "Repeat", lambda who, _: app.backups.repeat(who, job), ":material/replay:")
    elif job.state in ("cancelled", "crashed", "failed"):
        _action_button(job, "Resume", app.library.resume, ":material/replay:")
    elif app.library.failures(job.id, 1):
        _action_button(job, "Retry", app.library.retry, ":material/replay:")


def _action_button(job: Job, label: str, action: Callable[[Person, int], object], icon: str) -> None:
    st.button(label, key=f"{label.lower()}_{job.id}", icon=icon, on_click=control_job, args=(action, job.id))
    refusal = st.session_state.get(REFUSAL_KEY)
    if refusal and refusal[0] == job.id:
        st.error(escape_markdown(sentence(refusal[1])))


@uninterrupted
def control_job(action: Callable[[Person, int], object], job_id: int) -> None:
    """Cancel, resume or retry a job; an error is shown beside it."""
    st.session_state.pop(REFUSAL_KEY, None)
    try:
        action(person(), job_id)
    except ContactSheetError as error:
        st.session_state[REFUSAL_KEY] = (job_id, str(error))


def _show_failures(app: App, job: Job) -> None:
    reasons = app.library.failures_by_reason(job.id)
    if not reasons:
        return
    total = sum(count for _, count in reasons)
    _, noun, outcome = FINDINGS.get(job.kind, FILES)
    shown = st.expander(f"{counted(total, noun)} {outcome}", key=f"failures_{job.id}", on_change="rerun")
    if not shown.open:
        return
    with shown:
        failures = app.library.failures(job.id, MAX_FAILURES)
        for reason, count in reasons:
            st.markdown(f"**{escape_markdown(reason)}** · {count}")
            for failure in (f for f in failures if f.reason == reason):
                st.text(failure_line(job.kind, failure))
        if total > len(failures):
            st.caption(f"The first {len(failures)} of {total} are listed.")


def failure_line(kind: str, failure: Failure) -> str:
    """What failed, and why; what a verification found says both in one line already."""
    if kind == VERIFY_JOB:
        return failure.detail
    return f"{failure.uri}" + (f"  ({failure.detail})" if failure.detail else "")
