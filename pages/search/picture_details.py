"""One picture, large, with all that is known of it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from core.app import App
from core.errors import ContactSheetError
from core.records.assets import Asset
from pages.search.picture_query import put_away
from pages.ui.credit import credit, photo_page
from pages.ui.format import plain
from pages.ui.person import person


def show_details(app: App, collection: str, asset_id: str, more: Callable[[Asset], None] | None = None) -> None:
    """Open the details of a picture, with `more` below them; closing them takes the picture out of the URL."""
    found = app.asset(asset_id, collection)
    if found is None:
        st.warning("This picture is no longer in the collection.", icon=":material/hide_image:")
        return
    asset, thumbnail = found

    @st.dialog(plain(asset.title), width="large", on_dismiss=close)
    def dialog() -> None:
        _body(app, asset, thumbnail)
        if more is not None:
            more(asset)

    dialog()


def close() -> None:
    """Take the open picture out of the URL."""
    st.query_params.pop("photo", None)


def _body(app: App, asset: Asset, thumbnail: bytes) -> None:
    original = app.original(asset)
    picture, known = st.columns([3, 2], gap="medium")
    with picture:
        st.image(_view(app, original[1]) if original else thumbnail, alt=asset.title)
        if original is None:
            st.caption("The original file is not where it was ingested from; this is the thumbnail.")
        with st.container(horizontal=True):
            if st.button(
                "More like this",
                icon=":material/image_search:",
                type="primary",
                on_click=ask_for_similar,
                args=(asset.id,),
            ):
                st.rerun()
            if original:
                st.download_button(
                    "Original file", original[1], original[0].name, on_click="ignore", icon=":material/download:"
                )
    with known:
        if asset.about.description:
            st.text(asset.about.description)
        page = photo_page(asset)
        if page:
            st.markdown(f"[{plain(credit(asset))}]({page})")
        for name, value in facts(asset, show_folders=app.access.is_curator(person())).items():
            st.caption(f"**{name}**  \n{plain(value)}")


def _view(app: App, original: bytes) -> bytes:
    try:
        return app.view(original)
    except ContactSheetError:
        return original


def ask_for_similar(asset_id: str) -> None:
    """Make the next run search by this picture instead of by words or another picture."""
    put_away()
    st.session_state["q"] = ""
    st.query_params["like"] = asset_id


def facts(asset: Asset, show_folders: bool) -> dict[str, str]:
    """What is known of a picture, by name; the folders it lies in are for curators."""
    about = asset.about
    places = asset.uris if show_folders else tuple(dict.fromkeys(uri.rsplit("/", 1)[-1] for uri in asset.uris))
    rows = {
        "Author": about.author,
        "Licence": about.licence,
        "Keywords": ", ".join(about.keywords),
        "Source": asset.source,
        "Taken": about.created_at.strftime("%-d %B %Y") if about.created_at else "",
        "Size": f"{asset.width} × {asset.height} pixels",
        "Added": asset.ingested_at.strftime("%-d %B %Y, %H:%M UTC"),
        "File": ", ".join(places),
    }
    return {name: value for name, value in rows.items() if value}
