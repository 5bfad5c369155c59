"""A card for a collection that cannot be opened: what is wrong, and how it comes back or goes."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.app import App
from core.records.assets import DamagedCollection
from core.records.backups import Backup
from pages.library.condition_report import deletion_popover
from pages.library.outcome_notice import run_and_notify
from pages.ui.format import escape_markdown, sentence
from pages.ui.person import person


def show_damaged_card(app: App, damaged: DamagedCollection, backups: Sequence[Backup], restoring: bool) -> None:
    """`backups` are all there are, the newest first; `restoring` tells that it is being put back right now."""
    name = escape_markdown(damaged.name)
    if restoring:
        st.markdown(f":material/progress_activity: **{name}** :gray-badge[being restored]")
        st.caption("It can be opened again when the restore has ended: see the jobs below.")
        return
    word = "damaged" if damaged.cause else "cannot be opened"
    st.markdown(f":material/broken_image: **{name}** :red-badge[{word}]")
    holding = [backup for backup in backups if _held_as(backup, damaged.name)]
    st.caption(f"{escape_markdown(cause_line(damaged))} {what_to_do(damaged, bool(holding))}")
    if not app.access.is_curator(person()):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if holding and damaged.cause:
            restore_popover(app, damaged.name, holding)
        deletion_popover(app, damaged.name, "Delete", f"_{damaged.name}")


def cause_line(damaged: DamagedCollection) -> str:
    """What is wrong, in one sentence."""
    return f"It cannot be opened: {damaged.cause}." if damaged.cause else f"{sentence(damaged.message)}."


def what_to_do(damaged: DamagedCollection, is_backed_up: bool) -> str:
    """The way out, for whoever may take it. The other collections are not concerned."""
    if not damaged.cause:
        return ""
    if is_backed_up:
        return "Restore it from a backup, or delete it."
    return "No backup in the folder that is set holds it; whoever runs this server may have another."


def restore_popover(app: App, name: str, backups: Sequence[Backup]) -> None:
    """Choose one of the backups that hold a collection, and put it in the place of the damaged one."""
    with st.popover("Restore", icon=":material/settings_backup_restore:", key=f"restore_popover_{name}"):
        labels = {backup.id: backup_label(backup) for backup in backups}
        chosen = st.selectbox(
            "Backup, the newest first", list(labels), format_func=lambda each: labels[each], key=f"restore_from_{name}"
        )
        st.caption("What is damaged is kept beside it in the data folder, under another name.")
        st.button(
            "Restore collection",
            key=f"restore_{name}",
            type="primary",
            on_click=run_and_notify,
            args=(lambda: start_restore(app, chosen, name, name),),
        )


def start_restore(app: App, backup_id: str, collection: str, name: str) -> str:
    app.backups.start_restore(person(), backup_id, collection, name)
    return f"{name} is being restored: see the jobs below."


def backup_label(backup: Backup) -> str:
    """When it was made."""
    return f"{backup.made_at:%-d %B %Y, %H:%M} UTC"


def _held_as(backup: Backup, name: str) -> bool:
    return any(collection.name == name for collection in backup.collections)
