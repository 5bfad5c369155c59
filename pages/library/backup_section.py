"""Backups: when the newest was made, what is scheduled, all there are, and restoring a collection of one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.library.backup.service import BACKUP_JOB, BackupSchedule
from core.records.backups import Backup
from core.text import counted, format_bytes
from pages.library.damaged_collections import backup_label, start_restore
from pages.library.outcome_notice import CHANGED, run_and_notify, show_notice
from pages.ui.error_line import showing_errors
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import person

SECTION = "backups"
JOBS_LOOKED_AT, MAX_NAMES, MAX_LISTED = 50, 6, 100
NO_FOLDER = (
    "No backups are made. Whoever runs this server sets `CONTACTSHEET_BACKUP` to a folder, best on another disk, "
    "and starts it again."
)


def show_backups(app: App) -> None:
    """The section; a fragment, so that choosing what to restore reruns it alone."""
    st.header("Backups", anchor=False)
    if app.backups.schedule.folder is None:
        st.caption(NO_FOLDER)
        return
    st.fragment(_show_section)(app)


def _show_section(app: App) -> None:
    if st.session_state.pop(CHANGED, False):
        st.rerun()
    with showing_errors():
        backups = app.backups.backups()
        show_state(app, backups)
        show_notice(app, SECTION)
        if app.access.is_curator(person()):
            show_actions(app, backups)
        if backups:
            show_list(backups)


def show_state(app: App, backups: Sequence[Backup]) -> None:
    """The newest backup of everything, and what is scheduled."""
    newest = next((backup for backup in backups if backup.everything), None)
    if newest is None:
        st.warning("There is no backup of everything yet.", icon=":material/backup:")
    else:
        st.markdown(
            f":material/verified: Newest backup: **{backup_label(newest)}** · "
            f"{counted(len(newest.collections), 'collection')}, {format_bytes(newest.size)} · verified when it was made"
        )
        if newest.damaged:
            names = ", ".join(map(escape_markdown, newest.damaged))
            st.warning(f"Damaged when it was made: {names}.", icon=":material/broken_image:")
    st.caption(schedule_line(app.backups.schedule))
    with suppress(ContactSheetError):  # the list of jobs says so
        job = next((job for job in app.library.jobs(JOBS_LOOKED_AT) if job.kind == BACKUP_JOB), None)
        if job and job.state in ("failed", "crashed") and not app.library.failures(job.id, 1):
            text = f"The last backup that was begun did not succeed: {job.message}"
            st.error(escape_markdown(text), icon=":material/error:")


def schedule_line(schedule: BackupSchedule) -> str:
    """`One is made every 24 hours, and kept for 30 days; the newest is always kept.`"""
    days = counted(schedule.keep.days, "day")
    if schedule.every is None:
        return f"None are made by themselves (CONTACTSHEET_BACKUP_HOURS is 0). Kept for {days}; the newest always is."
    hours = round(schedule.every.total_seconds() / 3600)
    every = "hour" if hours == 1 else f"{hours:,} hours"
    return f"One is made every {every} and kept for {days}; the newest always is."


def show_actions(app: App, backups: Sequence[Backup]) -> None:
    running = False
    with suppress(ContactSheetError):
        running = any(job.open and job.kind == BACKUP_JOB for job in app.library.jobs(JOBS_LOOKED_AT))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Back up now",
            key="back_up",
            icon=":material/backup:",
            disabled=running,
            on_click=run_and_notify,
            args=(lambda: start_backup(app), SECTION),
        )
        held = [backup for backup in backups if backup.collections]
        if held:
            with st.popover("Restore a collection", icon=":material/settings_backup_restore:", key="restore_popover"):
                restore_form(app, held)
    folder = escape_markdown(str(app.backups.schedule.folder))
    st.caption("A backup is being made: see the jobs above." if running else f"Kept in {folder}")


def start_backup(app: App) -> str:
    app.backups.start_backup(person())
    return "A backup is being made: see the jobs above."


def restore_form(app: App, backups: Sequence[Backup]) -> None:
    """Choose a backup, a collection of it and the name for it; what works is never replaced."""
    by_id = {backup.id: backup for backup in backups}
    backup_id = st.selectbox(
        "Backup, the newest first",
        list(by_id),
        format_func=lambda each: backup_label(by_id[each]),
        key="restore_backup",
    )
    pictures = {collection.name: collection.pictures for collection in by_id[backup_id].collections}
    collection = st.selectbox(
        "Collection",
        list(pictures),
        format_func=lambda name: f"{name} ({counted(pictures[name], 'picture')})",
        key=f"restore_collection_{backup_id}",
    )
    name = st.text_input("Name for it", free_name(app, collection), key=f"restore_name_{collection}").strip()
    problem = problem_with(app, name)
    if problem:
        st.warning(escape_markdown(sentence(problem)), icon=":material/warning:")
    st.button(
        "Restore collection",
        key="restore",
        type="primary",
        disabled=bool(problem),
        on_click=run_and_notify,
        args=(lambda: start_restore(app, backup_id, collection, name).replace("below", "above"), SECTION),
    )


def free_name(app: App, collection: str) -> str:
    """The collection's own name, or one like it while that is taken."""
    others = (f"{collection[:48]}-restored{f'-{number}' if number > 1 else ''}" for number in range(1, 1000))
    return next(name for name in (collection, *others) if app.is_free(name))


def problem_with(app: App, name: str) -> str:
    """Why nothing can be restored under this name; empty if it can."""
    try:
        if app.is_free(name):
            return ""
    except ContactSheetError as error:
        return str(error)
    return f"there is a collection {name}, and it works: nothing replaces it here. Choose another name."


def show_list(backups: Sequence[Backup]) -> None:
    """All backups, read only once somebody looks."""
    shown = st.expander(f"{counted(len(backups), 'backup')}", key="all_backups", on_change="rerun")
    if not shown.open:
        return
    with shown:
        for backup in backups[:MAX_LISTED]:
            st.markdown(f"**{backup_label(backup)}** · {format_bytes(backup.size)}  \n{held_line(backup)}")
        if len(backups) > MAX_LISTED:
            st.caption(f"The newest {MAX_LISTED} of {len(backups)} are listed.")


def held_line(backup: Backup) -> str:
    """The collections of a backup, as Markdown."""
    names = [f"{c.name} ({counted(c.pictures, 'picture')})" for c in backup.collections]
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    held = escape_markdown(", ".join(names[:MAX_NAMES]) + more if names else "no collection")
    damaged = f"; damaged then: {', '.join(backup.damaged)}" if backup.damaged else ""
    return f":small[{'Everything: ' if backup.everything else ''}{held}{escape_markdown(damaged)}]"
