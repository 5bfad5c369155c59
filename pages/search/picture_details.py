"""The details of one picture: a large view and its metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st

from core.app import App
from core.records.assets import Asset
from pages.search.picture_facts import described_facts, place_facts
from pages.search.picture_query import clear_picture
from pages.ui.credit import photo_credit, photo_page
from pages.ui.error_line import showing_errors
from pages.ui.format import escape_markdown
from pages.ui.gallery import GalleryActions, open_picture
from pages.ui.opened_pictures import PHOTO, note_viewed
from pages.ui.person import person
from pages.ui.routes import image_address
from pages.ui.viewer import viewer

_CSS = Path(__file__).parent / "picture_details.css"


def follow_picture_links(app: App, collection: str, more: Callable[[Asset], None] | None = None) -> None:
    """On other pages than Search: open the details of the URL's `photo`, or search for pictures similar to `like`."""
    like = st.query_params.pop("like", None)
    if like:
        st.switch_page("pages/search/page.py", query_params={"collection": collection, "like": like})
    if PHOTO in st.query_params:
        show_details(app, collection, st.query_params[PHOTO], more)


def show_details(app: App, collection: str, asset_id: str, more: Callable[[Asset], None] | None = None) -> None:
    """Open the details of a picture, with `more` below them; closing them takes the picture out of the URL.

    Moving to the next picture runs the dialog alone, not the page.
    """
    if app.asset(asset_id, collection) is None:
        st.warning("This picture is no longer in the collection.", icon=":material/hide_image:")
        return

    @st.dialog("Picture", width="large", on_dismiss=close_details)
    def dialog() -> None:
        with showing_errors():
            _show_body(app, collection, st.query_params.get(PHOTO, asset_id), more)

    dialog()


def close_details() -> None:
    """Take the open picture out of the URL."""
    st.query_params.pop(PHOTO, None)


def _show_body(app: App, collection: str, asset_id: str, more: Callable[[Asset], None] | None) -> None:
    among, found = note_viewed(asset_id), app.asset(asset_id, collection)
    if found is None:
        st.warning("This picture is no longer in the collection.", icon=":material/hide_image:")
        return
    asset = found[0]
    picture_column, metadata_column = st.columns([3, 2], gap="medium")
    with picture_column:
        viewer(collection, asset, among, open_picture)
    with metadata_column:
        st.html(_CSS)
        with st.container(key="picture_title"):
            st.header(escape_markdown(asset.title), anchor=False)
        with st.container(horizontal=True):
            if st.button(
                "More like this",
                icon=":material/image_search:",
                type="primary",
                on_click=search_similar,
                args=(asset.id,),
            ):
                st.rerun()
            show_original_link(app, collection, asset)
        show_metadata(asset, app.access.is_curator(person()), app.shows_location(person()))
        if more is not None:
            more(asset)


def show_original_link(app: App, collection: str, asset: Asset) -> None:
    """A link to the original file, or why there is none."""
    original = app.original(asset)
    if original is None:
        st.caption("The original file is not where it was ingested from; this is the thumbnail.")
    elif not app.images.gives_original(original[1], original[0].name):
        st.caption("The original is not offered: coordinates in it could not be removed.")
    else:
        address = image_address(collection, asset.id, "download")
        st.link_button("Original file", address, icon=":material/download:")


def show_metadata(asset: Asset, is_curator: bool, shows_location: bool) -> None:
    """What is known of a picture: its words, then facts in groups. Nothing of it is a link but the photo's own page."""
    about = asset.about
    if asset.missing:
        st.warning("Its file was not there at the last rescan.", icon=":material/link_off:")
    if about.headline and about.headline != about.title:
        st.markdown(f"**{escape_markdown(about.headline)}**")
    if about.description:
        st.text(about.description)
    page = photo_page(asset)
    if page:
        st.markdown(f"[{escape_markdown(photo_credit(asset))}]({page})")
    for group in (*described_facts(asset, shows_location), *place_facts(asset, is_curator)):
        show_facts(group)


def show_facts(facts: Mapping[str, str]) -> None:
    """Names and texts from outside, close together."""
    with st.container(gap=None):
        for name, value in facts.items():
            st.caption(f"**{escape_markdown(name)}** {escape_markdown(value)}")


def search_similar(asset_id: str) -> None:
    """The next run searches by this picture instead of by words or another picture."""
    clear_picture()
    st.session_state["q"] = ""
    st.query_params["like"] = asset_id


RESULT_ACTIONS = GalleryActions(open_picture, search_similar)
