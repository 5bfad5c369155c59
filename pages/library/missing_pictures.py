"""The pictures of a collection whose files are gone, to look at or to move to the bin."""

from __future__ import annotations

from functools import partial

import streamlit as st

from core.app import App
from core.records.assets import Hit, file_name, shown_path
from core.text import counted
from pages.library.outcome_notice import run_and_notify
from pages.ui.gallery import GalleryActions, GalleryLayout, gallery
from pages.ui.person import person

PAGE_SIZE = 48
SHOWN_KEY = "missing_shown"


def show_missing(app: App, collection: str, curator: bool) -> None:
    """Nothing if there are none; folders are for curators to see."""
    count = app.sources.count_missing(collection)
    if not count:
        return
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**Missing files** · {counted(count, 'picture')}", width="content")
        if curator:
            prune_popover(app, collection, count)
    st.caption("Not found by the last rescan. These pictures can still be searched, by what is stored of them.")
    limit = int(st.session_state.get(SHOWN_KEY, PAGE_SIZE))
    found = app.sources.missing(collection, 0, limit)
    shown = shown_path if curator else file_name
    gallery(
        collection,
        [Hit(rank, 0.0, asset, thumbnail) for rank, (asset, thumbnail) in enumerate(found, 1)],
        f"missing-{app.version(collection)}-{count}-{limit}",
        GalleryActions(),
        GalleryLayout(show_similarity=False, reasons={a.id: ", ".join(map(shown, a.uris)) for a, _ in found}),
    )
    if count > limit and st.button("Show more", icon=":material/expand_more:", key="more_missing"):
        st.session_state[SHOWN_KEY] = limit + PAGE_SIZE
        st.rerun(scope="fragment")


def prune_popover(app: App, collection: str, count: int) -> None:
    with st.popover("Move to bin", icon=":material/delete:", key="prune_missing"):
        st.write("Pictures whose files are back by now, or lie in a folder that cannot be reached, stay.")
        st.button(
            f"Move {counted(count, 'picture')} to the bin",
            key="prune_now",
            type="primary",
            on_click=run_and_notify,
            args=(partial(prune_missing, app, collection),),
        )


def prune_missing(app: App, collection: str) -> str:
    pruned = app.sources.prune(person(), collection)
    return f"{counted(pruned, 'missing picture')} moved to the bin of {collection}."
