"""The details of one picture: a large view and its metadata."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.app import App
from core.records.assets import Asset, Location, file_name, shown_path
from core.records.descriptions import Place
from pages.search.picture_query import clear_picture
from pages.ui.credit import photo_credit, photo_page
from pages.ui.format import escape_markdown, taken_text
from pages.ui.gallery import GalleryActions, open_picture
from pages.ui.person import person
from pages.ui.routes import image_address


def follow_picture_links(app: App, collection: str, more: Callable[[Asset], None] | None = None) -> None:
    """On other pages than Search: open the details of the URL's `photo`, or search for pictures similar to `like`."""
    like = st.query_params.pop("like", None)
    if like:
        st.switch_page("pages/search/page.py", query_params={"collection": collection, "like": like})
    if "photo" in st.query_params:
        show_details(app, collection, st.query_params["photo"], more)


def show_details(app: App, collection: str, asset_id: str, more: Callable[[Asset], None] | None = None) -> None:
    """Open the details of a picture, with `more` below them; closing them takes the picture out of the URL."""
    found = app.asset(asset_id, collection)
    if found is None:
        st.warning("This picture is no longer in the collection.", icon=":material/hide_image:")
        return
    asset = found[0]

    @st.dialog(escape_markdown(asset.title), width="large", on_dismiss=close_details)
    def dialog() -> None:
        _show_body(app, collection, asset)
        if more is not None:
            more(asset)

    dialog()


def close_details() -> None:
    """Take the open picture out of the URL."""
    st.query_params.pop("photo", None)


def _show_body(app: App, collection: str, asset: Asset) -> None:
    original = app.original(asset)
    picture_column, metadata_column = st.columns([3, 2], gap="medium")
    with picture_column:
        st.image(image_address(collection, asset.id, "view" if original else "thumbnail"), alt=asset.title)
        if original is None:
            st.caption("The original file is not where it was ingested from; this is the thumbnail.")
        with st.container(horizontal=True):
            if st.button(
                "More like this",
                icon=":material/image_search:",
                type="primary",
                on_click=search_similar,
                args=(asset.id,),
            ):
                st.rerun()
            if original and app.images.gives_original(original[1], original[0].name):
                address = image_address(collection, asset.id, "download")
                st.link_button("Original file", address, icon=":material/download:")
        if original and not app.images.gives_original(original[1], original[0].name):
            st.caption("The original is not offered: coordinates in it could not be removed.")
    with metadata_column:
        show_metadata(asset, app.access.is_curator(person()), app.shows_location(person()))


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
    for group in asset_facts(asset, is_curator, shows_location):
        with st.container(gap=None):
            for name, value in group.items():
                st.caption(f"**{name}** {escape_markdown(value)}")
    for place in asset.locations:
        if other := other_words(asset, place):
            st.caption(f"**In {escape_markdown(place.source or 'another place')}** {escape_markdown(other)}")


def search_similar(asset_id: str) -> None:
    """The next run searches by this picture instead of by words or another picture."""
    clear_picture()
    st.session_state["q"] = ""
    st.query_params["like"] = asset_id


RESULT_ACTIONS = GalleryActions(open_picture, search_similar)


def asset_facts(asset: Asset, is_curator: bool, shows_location: bool) -> list[dict[str, str]]:
    """Groups of facts by name, without empty ones: what it shows, who made it, how, and where its files are.

    The folders of its files are for curators.
    """
    about, place = asset.about, asset.about.place
    groups = [
        {
            "Taken": taken_text(about.created) if about.created else "",
            "Place": place.name,
            "Coordinates": coordinates_text(place) if shows_location else "",
            "People": ", ".join(about.people),
            "Keywords": ", ".join(about.keywords),
            "Filed under": "; ".join(path.replace("|", " › ") for path in about.hierarchies),
            "Rating": rating_text(about.rating),
            "Label": about.label,
        },
        {
            "Author": about.author,
            "Credit": about.credit,
            "Licence": about.licence,
            "Usage terms": about.usage_terms,
        },
        {
            "Camera": about.camera,
            "Lens": about.lens,
            "Size": f"{asset.width} × {asset.height} pixels",
        },
        {
            "Source": ", ".join(asset.sources),
            "Added": asset.ingested_at.strftime("%-d %B %Y, %H:%M UTC"),
            "File": ", ".join(dict.fromkeys(file_text(each, is_curator) for each in asset.locations)),
        },
    ]
    return [facts for group in groups if (facts := {name: value for name, value in group.items() if value})]


def file_text(place: Location, with_folder: bool) -> str:
    """A file's name, or its path, and whether it is there."""
    name = shown_path(place.uri) if with_folder else file_name(place.uri)
    return name if place.state == "present" else f"{name} ({place.state})"


def coordinates_text(place: Place) -> str:
    """`38.70834° N, 9.13500° W, 12 m`; empty if they are unknown."""
    if place.latitude is None or place.longitude is None:
        return ""
    north = f"{abs(place.latitude):.5f}° {'N' if place.latitude >= 0 else 'S'}"
    east = f"{abs(place.longitude):.5f}° {'E' if place.longitude >= 0 else 'W'}"
    return f"{north}, {east}" + (f", {place.altitude:.0f} m" if place.altitude is not None else "")


def rating_text(rating: int | None) -> str:
    """`★★★ (3 of 5)`, `rejected`; empty where there is none."""
    if rating is None or rating == 0:
        return ""
    return "rejected" if rating < 0 else f"{'★' * rating} ({rating} of 5)"


def other_words(asset: Asset, place: Location) -> str:
    """What is written of a picture at one of its places, where that is not what is shown already."""
    if place.words is None:
        return ""
    texts = ((place.words.title, asset.about.title), (place.words.description, asset.about.description))
    return " · ".join(text for text, shown in texts if text and text != shown)
