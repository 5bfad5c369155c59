"""The pictures selected on the map, as a ZIP file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.exports import ExportReport
from core.text import counted
from pages.ui.format import escape_markdown
from pages.ui.person import person

PREPARED_KEY = "prepared_zip"
MAX_LISTED = 5


def show_selection_download(app: App, collection: str, asset_ids: Sequence[str]) -> None:
    """A button that makes a ZIP file of the pictures, and then one that downloads it."""
    chosen = (collection, *asset_ids)
    if st.button(f"Prepare a ZIP file of {len(asset_ids):,}", key="prepare_zip", icon=":material/folder_zip:"):
        st.session_state.pop(PREPARED_KEY, None)
        try:
            with st.spinner("Preparing the ZIP file"):
                st.session_state[PREPARED_KEY] = (chosen, *app.exports.zip(person(), collection, asset_ids))
        except ContactSheetError as error:
            st.error(escape_markdown(str(error)), icon=":material/error:")
    prepared = st.session_state.get(PREPARED_KEY)
    if prepared is not None and prepared[0] == chosen:
        _show_prepared(collection, prepared[1], prepared[2])


def _show_prepared(collection: str, path: Path, report: ExportReport) -> None:
    st.download_button(
        "Download ZIP file",
        partial(path.open, "rb"),
        f"{collection}.zip",
        "application/zip",
        key="download_zip",
        icon=":material/download:",
        on_click="ignore",
    )
    incomplete = [picture for picture in report.pictures if picture.outcome in ("left out", "thumbnail")]
    for picture in incomplete[:MAX_LISTED]:
        st.caption(escape_markdown(f"{picture.file or picture.asset_id[:12]}: {picture.reason} ({picture.outcome})"))
    if len(incomplete) > MAX_LISTED:
        st.caption(
            f"… and {counted(len(incomplete) - MAX_LISTED, 'more', 'more')}; manifest.csv in the file lists all."
        )
