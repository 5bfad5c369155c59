"""The bin of a collection: removed pictures, to restore or to delete for good."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.records.assets import Hit
from core.text import counted
from pages.library.outcome_notice import restore_pictures, run_and_notify
from pages.ui.gallery import GalleryActions, GalleryLayout, gallery
from pages.ui.person import person

PAGE_SIZE = 48
PICKED_KEY = "bin_picked"


def show_bin(app: App, collection: str) -> None:
    """The pictures that were removed most recently."""
    count, curator = app.removal.count_removed(collection), app.access.is_curator(person())
    if not count:
        st.info(
            "The bin is empty. What is removed from the collection lies here until someone empties it.",
            icon=":material/delete_outline:",
        )
        return
    limit = int(st.session_state.get("bin_shown", PAGE_SIZE))
    removed = app.removal.removed(collection, 0, limit)
    pictures = counted(count, "picture")
    st.caption(f"{pictures} in the bin. While a picture is here, adding the same file leaves it out.")
    if curator:
        picked = [r.asset.id for r in removed if r.asset.id in set(st.session_state.get(PICKED_KEY, ()))]
        with st.container(horizontal=True, vertical_alignment="center"):
            bin_actions(app, collection, count, picked)
    gallery(
        collection,
        [Hit(rank, 0.0, r.asset, r.thumbnail) for rank, r in enumerate(removed, 1)],
        f"bin-{app.version(collection)}-{count}-{limit}",
        GalleryActions(on_pick=(lambda ids: st.session_state.update({PICKED_KEY: ids})) if curator else None),
        GalleryLayout(
            show_similarity=False,
            reasons={r.asset.id: f"removed by {r.removed_by}, {r.removed_at:%-d %B %Y, %H:%M} UTC" for r in removed},
            kind="bin",
        ),
    )
    if count > limit and st.button("Show more", icon=":material/expand_more:", key="more_bin"):
        st.session_state["bin_shown"] = limit + PAGE_SIZE
        st.rerun(scope="fragment")


def bin_actions(app: App, collection: str, count: int, picked: list[str]) -> None:
    label = f"Put back {len(picked)}" if picked else "Put all back"
    chosen = picked or app.removal.removed_ids(collection)
    st.button(
        label,
        key="put_back",
        icon=":material/restore_from_trash:",
        on_click=restore_pictures,
        args=(app, collection, chosen),
    )
    with st.popover("Empty the bin", icon=":material/delete_forever:", key="empty_bin_popover"):
        st.write(
            f"Forget {counted(count, 'picture')} for good, here and not on the disk: "
            "the same files, added again, are new."
        )
        st.button(
            "Empty bin",
            key="empty_bin",
            type="primary",
            on_click=run_and_notify,
            args=(lambda: empty_bin(app, collection),),
        )


def empty_bin(app: App, collection: str) -> str:
    count = app.removal.empty_bin(person(), collection)
    return f"The bin of {collection} is empty; {counted(count, 'picture')} forgotten."
