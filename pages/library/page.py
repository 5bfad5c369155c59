"""Library: the collections, their maintenance, and adding pictures."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.access import Action
from core.app import App
from core.errors import ContactSheetError
from core.library.backup.service import RESTORE_JOB
from core.records.assets import Collection, DamagedCollection
from core.records.backups import Backup
from core.text import counted, format_bytes
from pages.library.add_pictures import show_add_pictures
from pages.library.backup_section import show_backups
from pages.library.collection_detail import open_collection, show_open_collection
from pages.library.damaged_collections import show_damaged_card
from pages.library.job_list import show_jobs
from pages.ui import resources
from pages.ui.error_line import showing_errors
from pages.ui.format import escape_markdown, model_label, sentence
from pages.ui.person import explain_unless_allowed
from pages.ui.sign_in import show_person
from pages.ui.uploads import withdraw_upload


def main() -> None:
    app = resources.app()
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.title("Library", anchor=False, width="content")
        show_person(app)
    if app.encoders.known_notice:
        st.caption(f":material/info: {escape_markdown(app.encoders.known_notice)}")
    collections, damaged = app.survey_collections()
    show_collection_cards(app, collections, damaged)
    show_open_collection(app, collections, damaged)
    with showing_errors():
        show_jobs(app)
    st.header("Add pictures", anchor=False)
    if explain_unless_allowed(app.access, Action.ADD_PICTURES):
        with showing_errors():
            show_add_pictures(app)
    else:
        withdraw_upload(app, "collection")
    show_backups(app)


def show_collection_cards(app: App, collections: Sequence[Collection], damaged: Sequence[DamagedCollection]) -> None:
    """A card per collection, by name; those that cannot be opened are among them."""
    if not collections and not damaged:
        st.info("There are no collections yet. Add pictures below to make one.", icon=":material/photo_library:")
        return
    backups = known_backups(app) if damaged else []
    restoring = being_restored(app) if damaged else frozenset()
    with st.grid("auto", min_column_width=260):
        cards: list[Collection | DamagedCollection] = [*collections, *damaged]
        for each in sorted(cards, key=lambda each: each.name):
            with st.container(border=True):
                if isinstance(each, Collection):
                    show_collection_card(each)
                else:
                    show_damaged_card(app, each, backups, each.name in restoring)


def known_backups(app: App) -> list[Backup]:
    """The backups, the newest first; none where they cannot be read, which their section says."""
    try:
        return app.backups.backups() if app.backups.schedule.folder else []
    except ContactSheetError:
        return []


def being_restored(app: App) -> frozenset[str]:
    """The names of collections that are being put back; none where that cannot be told, as the jobs' list says."""
    try:
        return frozenset(job.collection for job in app.library.jobs() if job.open and job.kind == RESTORE_JOB)
    except ContactSheetError:
        return frozenset()


def show_collection_card(collection: Collection) -> None:
    st.markdown(f"**{escape_markdown(collection.name)}**")
    sibling = f" · beside {escape_markdown(collection.sibling_of)}" if collection.sibling_of else ""
    st.caption(
        f"{counted(collection.size, 'picture')} · {format_bytes(collection.bytes_on_disk)} · "
        f"{escape_markdown(model_label(collection.model.name))}{sibling}"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/search/page.py",
            label="Search",
            icon=":material/search:",
            width="content",
            query_params={"collection": collection.name},
        )
        st.button(
            "Open",
            key=f"open_{collection.name}",
            icon=":material/folder_open:",
            type="tertiary",
            on_click=open_collection,
            args=(collection.name,),
            help="Its pictures, sources, duplicates, bin, model and condition",
        )


try:
    main()
except ContactSheetError as error:
    st.error(escape_markdown(sentence(str(error))), icon=":material/error:")
