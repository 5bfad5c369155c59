"""The table of captions of a source: a template to fill in, and uploading it."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.library.captions import TABLE_SUFFIXES
from pages.library.outcome_notice import run_and_notify
from pages.ui.person import person
from pages.ui.uploads import offer_upload, release_files

TABLE_TYPES = [suffix[1:] for suffix in TABLE_SUFFIXES]
GIVEN_KEY = "captions_given"  # how many were uploaded: each makes the popover a new, closed one


def captions_popover(app: App, collection: str, root: str) -> None:
    """Upload a table of captions for a source, or download one to fill in. For curators."""
    given = st.session_state.get(GIVEN_KEY, 0)
    popover = st.popover("Captions", type="tertiary", key=f"captions_{root}_{given}", on_change="rerun")
    if not popover.open:
        return
    with popover:
        st.write(
            "A table of titles, captions, dates and more, with a row per file. It replaces the one in use: "
            "what it says nothing of loses what that one said."
        )
        st.download_button(
            "Download a template",
            lambda: app.captions.template(collection, root),
            f"{collection}-captions.csv",
            "text/csv",
            icon=":material/download:",
            key=f"template_{root}",
            on_click="ignore",
            type="tertiary",
            help="A CSV with a row for every file that is known of this folder",
        )
        offer_upload(app, "collection")
        table = st.file_uploader(
            "Table of captions",
            type=TABLE_TYPES,
            key=f"captions_file_{root}_{given}",
            help="Also as exiftool, osxphotos, Lightroom and Excel write them",
        )
        upload = st.button("Upload captions", type="primary", disabled=table is None, key=f"use_captions_{root}")
        if upload and table is not None:
            use_captions(app, collection, root, table.name, table.getvalue())
            release_files(table)
            st.session_state[GIVEN_KEY] = given + 1
            st.rerun()


def use_captions(app: App, collection: str, root: str, name: str, content: bytes) -> None:
    def start() -> str:
        job = app.captions.set_captions(person(), collection, root, name, content)
        return f"{name} is stored. Job {job.id} below applies it and says which of its rows match a file."

    run_and_notify(start)
