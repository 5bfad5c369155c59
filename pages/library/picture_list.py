"""The pictures of a collection, to look through and to remove."""

from __future__ import annotations

from zlib import crc32

import streamlit as st

from core.app import App
from core.records.assets import Asset
from pages.library.notices import remove
from pages.search.picture_details import show_details
from pages.ui.format import pictures
from pages.ui.gallery import find_similar, gallery, open_picture
from pages.ui.person import person

PAGE = 48
PICKED = "library_picked"


def show_pictures(app: App, collection: str) -> None:
    """A page of pictures, by title; those that are ticked can be removed."""
    curator = app.access.is_curator(person())
    words = st.text_input(
        "Title or file name",
        key="library_words",
        icon=":material/search:",
        placeholder="All pictures",
        on_change=first_page,
    )
    found = matching(app.titles(collection), words)
    page = min(int(st.session_state.setdefault("library_page", 0)), max(len(found) - 1, 0) // PAGE)
    if not found:
        st.info("No picture has this in its title." if words.strip() else "This collection holds no pictures.")
        return
    shown = found[page * PAGE : (page + 1) * PAGE]
    picked = [i for i in st.session_state.get(PICKED, ()) if i in set(shown)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{page * PAGE + 1:,} to {page * PAGE + len(shown):,} of {pictures(len(found))}", width="content")
        turn_page("Back", -1, page == 0)
        turn_page("Next", 1, (page + 1) * PAGE >= len(found))
        if curator:
            remove_picked(app, collection, picked)
    gallery(
        app.pictures(collection, shown),
        f"library-{app.version(collection)}-{page}-{crc32(words.encode())}",
        open_picture,
        find_similar,
        show_similarity=False,
        first=page * PAGE + 1,
        on_pick=(lambda ids: st.session_state.update({PICKED: ids})) if curator else None,
    )
    leave_or_look(app, collection, curator)


def matching(titles: dict[str, str], words: str) -> list[str]:
    """The ids of the pictures whose titles hold all words, by title."""
    wanted = words.lower().split()
    found = [(title.lower(), i) for i, title in titles.items() if all(word in title.lower() for word in wanted)]
    return [i for _, i in sorted(found)]


def turn_page(label: str, by: int, disabled: bool) -> None:
    icon = ":material/chevron_left:" if by < 0 else ":material/chevron_right:"
    st.button(label, key=f"page_{label}", icon=icon, type="tertiary", disabled=disabled, on_click=go, args=(by,))


def go(by: int) -> None:
    st.session_state["library_page"] = max(0, st.session_state.get("library_page", 0) + by)
    st.session_state.pop(PICKED, None)


def first_page() -> None:
    st.session_state["library_page"] = 0
    st.session_state.pop(PICKED, None)


def remove_picked(app: App, collection: str, picked: list[str]) -> None:
    if not picked:
        st.caption("Tick pictures to remove them.", width="content")
        return
    with st.popover(f"Remove {len(picked)}", icon=":material/delete:"):
        st.write(f"{pictures(len(picked))} leave search, clusters and map at once. The files stay where they are.")
        st.button("Remove them", key="remove_picked", type="primary", on_click=remove, args=(app, collection, picked))


def leave_or_look(app: App, collection: str, curator: bool) -> None:
    """Details of a picture open here, with a way to remove it; pictures like it are a matter of the search."""
    like = st.query_params.pop("like", None)
    if like:
        st.switch_page("pages/search/page.py", query_params={"collection": collection, "like": like})
    if "photo" in st.query_params:

        def removable(asset: Asset) -> None:
            if st.button("Remove from the collection", icon=":material/delete:", key="remove_one"):
                st.query_params.pop("photo", None)
                remove(app, collection, [asset.id])
                st.rerun()

        show_details(app, collection, st.query_params["photo"], removable if curator else None)
