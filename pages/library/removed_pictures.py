"""What was removed from a collection, to put back or to forget."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.records.assets import Hit
from pages.library.notices import carry_out, put_back
from pages.ui.format import pictures
from pages.ui.gallery import gallery
from pages.ui.person import person

SHOWN = 48
PICKED = "bin_picked"


def show_bin(app: App, collection: str) -> None:
    """The pictures that were removed last."""
    count, curator = app.removal.count(collection), app.access.is_curator(person())
    if not count:
        st.info(
            "The bin is empty. What is removed from the collection lies here until someone empties it.",
            icon=":material/delete_outline:",
        )
        return
    wanted = int(st.session_state.get("bin_shown", SHOWN))
    removed = app.removal.bin(collection, 0, wanted)
    st.caption(f"{pictures(count)} in the bin. As long as they are here, adding the same files leaves them out.")
    if curator:
        picked = [r.asset.id for r in removed if r.asset.id in set(st.session_state.get(PICKED, ()))]
        with st.container(horizontal=True, vertical_alignment="center"):
            actions(app, collection, count, picked)
    gallery(
        [Hit(rank, 0.0, r.asset, r.thumbnail) for rank, r in enumerate(removed, 1)],
        f"bin-{app.version(collection)}-{count}-{wanted}",
        ignore,
        ignore,
        show_similarity=False,
        reasons={r.asset.id: f"removed by {r.by}, {r.at:%-d %B %Y, %H:%M} UTC" for r in removed},
        on_pick=(lambda ids: st.session_state.update({PICKED: ids})) if curator else None,
    )
    if count > wanted and st.button("Show more", icon=":material/expand_more:", key="more_bin"):
        st.session_state["bin_shown"] = wanted + SHOWN
        st.rerun(scope="fragment")


def actions(app: App, collection: str, count: int, picked: list[str]) -> None:
    label = f"Put back {len(picked)}" if picked else "Put all back"
    chosen = picked or app.removal.all_ids(collection)
    st.button(
        label, key="put_back", icon=":material/restore_from_trash:", on_click=put_back, args=(app, collection, chosen)
    )
    with st.popover("Empty the bin", icon=":material/delete_forever:"):
        st.write(
            f"{pictures(count)} are forgotten for good, here and not on the disk: the same files, added again, are new."
        )
        st.button(
            "Empty it", key="empty_bin", type="primary", on_click=carry_out, args=(lambda: empty(app, collection),)
        )


def empty(app: App, collection: str) -> str:
    return f"The bin of {collection} is empty; {pictures(app.removal.empty(person(), collection))} forgotten."


def ignore(asset_id: str) -> None:
    """A picture in the bin has no details, and nothing is like it."""
