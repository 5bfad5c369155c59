"""The pictures of a collection, to browse and to remove."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from zlib import crc32

import streamlit as st

from core.app import App
from core.records.assets import Asset
from core.text import counted
from pages.library.outcome_notice import remove_pictures
from pages.search.picture_details import follow_picture_links
from pages.ui.gallery import GalleryActions, GalleryLayout, find_similar, gallery, open_picture
from pages.ui.person import person

PAGE_SIZE = 48
PICKED_KEY, PAGE_KEY = "library_picked", "library_page"


def browse_pictures(app: App, collection: str) -> None:
    """The pictures page by page, sorted by title; ticked ones can be removed."""
    words = st.text_input(
        "Title or file name",
        key="library_words",
        icon=":material/search:",
        placeholder="All pictures",
        on_change=go_to_page,
        args=(0,),
    )
    found = ids_by_title(app.titles(collection), words)
    if not found:
        st.info("No title contains this." if words.strip() else "This collection holds no pictures.")
        return
    show_page(app, collection, found, f"library-{app.version(collection)}-{crc32(words.encode())}")


def show_page(app: App, collection: str, found: Sequence[str], key: str) -> None:
    """The current page of the pictures that were found, in a gallery whose key begins with `key`."""
    curator = app.access.is_curator(person())
    page = min(int(st.session_state.setdefault(PAGE_KEY, 0)), (len(found) - 1) // PAGE_SIZE)
    first = page * PAGE_SIZE + 1
    shown = found[first - 1 : first - 1 + PAGE_SIZE]
    picked = [i for i in st.session_state.get(PICKED_KEY, ()) if i in set(shown)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{first:,} to {first + len(shown) - 1:,} of {counted(len(found), 'picture')}", width="content")
        page_button("Back", page - 1, page == 0)
        page_button("Next", page + 1, first + PAGE_SIZE > len(found))
        if curator:
            removal_popover(app, collection, picked)
    on_pick = (lambda ids: st.session_state.update({PICKED_KEY: ids})) if curator else None
    gallery(
        collection,
        app.pictures(collection, shown),
        f"{key}-{page}",
        GalleryActions(open_picture, find_similar, on_pick),
        GalleryLayout(show_similarity=False, first=first),
    )
    follow_picture_links(app, collection, partial(removal_button, app, collection) if curator else None)


def ids_by_title(titles: dict[str, str], words: str) -> list[str]:
    """The ids of the pictures whose titles contain all the words, sorted by title."""
    terms = words.lower().split()
    found = [(title.lower(), i) for i, title in titles.items() if all(term in title.lower() for term in terms)]
    return [i for _, i in sorted(found)]


def page_button(label: str, target: int, disabled: bool) -> None:
    icon = f":material/chevron_{'left' if label == 'Back' else 'right'}:"
    key = f"page_{label}"
    st.button(label, key=key, icon=icon, type="tertiary", disabled=disabled, on_click=go_to_page, args=(target,))


def go_to_page(page: int) -> None:
    st.session_state[PAGE_KEY] = page
    st.session_state.pop(PICKED_KEY, None)


def removal_popover(app: App, collection: str, picked: Sequence[str]) -> None:
    if not picked:
        st.caption("Select pictures to remove.", width="content")
        return
    with st.popover(f"Remove {len(picked)}", icon=":material/delete:", key="remove_popover"):
        st.write(
            f"Take {counted(len(picked), 'picture')} out of search, clusters and map at once. "
            "The files stay where they are."
        )
        st.button(
            "Remove pictures",
            key="remove_picked",
            type="primary",
            on_click=remove_pictures,
            args=(app, collection, picked),
        )


def removal_button(app: App, collection: str, asset: Asset) -> None:
    """For the details of a picture."""
    if st.button("Remove from the collection", icon=":material/delete:", key="remove_one"):
        st.query_params.pop("photo", None)
        remove_pictures(app, collection, [asset.id])
        st.rerun()
