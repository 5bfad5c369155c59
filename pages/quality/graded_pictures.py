"""Pictures of a run with what the labels say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from pages.quality.run_figures import grade_captions
from pages.ui.format import escape_markdown
from pages.ui.gallery import find_similar, gallery, open_picture


def show_graded_pictures(
    app: App, collection: str, asset_ids: Sequence[str], relevant: Mapping[str, int], key: str
) -> None:
    """Pictures in their order, each with its grade; those that are gone since are counted."""
    try:
        hits = app.pictures(collection, asset_ids)
    except ContactSheetError as error:
        st.caption(f":material/hide_image: {escape_markdown(str(error))}")
        return
    gallery(hits, key, open_picture, find_similar, show_similarity=False, reasons=grade_captions(asset_ids, relevant))
    gone = len(asset_ids) - len(hits)
    if gone:
        st.caption(
            f"{gone} of these pictures {'is' if gone == 1 else 'are'} no longer in {escape_markdown(collection)}."
        )
