"""Pictures of a run, with their grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from pages.quality.run_figures import grade_captions
from pages.ui.format import escape_markdown
from pages.ui.gallery import GalleryActions, GalleryLayout, find_similar, gallery, open_picture


def show_graded_pictures(
    app: App, collection: str, asset_ids: Sequence[str], relevant: Mapping[str, int], key: str
) -> None:
    """Pictures in their order, each with its grade; those removed since are counted."""
    try:
        hits = app.pictures(collection, asset_ids)
    except ContactSheetError as error:
        st.caption(f":material/hide_image: {escape_markdown(str(error))}")
        return
    layout = GalleryLayout(show_similarity=False, reasons=grade_captions(asset_ids, relevant))
    gallery(collection, hits, key, GalleryActions(open_picture, find_similar), layout)
    removed = len(asset_ids) - len(hits)
    if removed:
        st.caption(
            f"{removed} of these pictures {'is' if removed == 1 else 'are'} no longer in {escape_markdown(collection)}."
        )
