"""Adding pictures to a collection: from uploads, folders of the server, or Unsplash datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from core.app import DEMO, App
from core.records.sources import CollectionSource
from pages.library.source_captions import TABLE_TYPES
from pages.ui.person import person
from pages.ui.uploads import offer_upload, release_files

UPLOAD_TABLE, TABLES_KEY = "Upload a table…", "tables_given"
UNSPLASH_LITE, UNSPLASH_WIDTHS = "https://unsplash.com/data/lite/latest", (400, 640, 1080)


def show_add_pictures(app: App) -> None:
    """Choose a collection and a source, then start."""
    collection = st.selectbox(
        "Collection",
        [name for name in app.collection_names() if name != DEMO],
        index=None,
        accept_new_options=True,
        key="library_collection",
        placeholder="Choose one, or type a new name",
        help="A new name makes a new collection: a-z, 0-9, - and _",
    )
    source = st.segmented_control(
        "From", ["Upload", "Folder on this computer", "Unsplash"], default="Upload", required=True, key="way"
    )
    if source == "Upload":
        upload_form(app, collection)
    elif source == "Unsplash":
        unsplash_form(app, collection)
    else:
        folder_form(app, collection)


def upload_form(app: App, collection: str | None) -> None:
    offer_upload(app, "collection")
    files = st.file_uploader(
        "Pictures",
        type=app.library.formats,
        accept_multiple_files=True,
        max_upload_size=app.settings.upload_mb,
        key=f"upload_{st.session_state.get('uploads_done', 0)}",
    )
    ready = bool(files and collection)
    if st.button("Add to collection", type="primary", disabled=not ready, icon=":material/add_photo_alternate:"):
        app.library.add_files(person(), [(f.name, f.getvalue()) for f in files], str(collection))
        release_files(*files)
        st.session_state["uploads_done"] = st.session_state.get("uploads_done", 0) + 1
        st.rerun()


def folder_form(app: App, collection: str | None) -> None:
    roots = app.library.roots
    if not roots:
        st.info("No folder of this computer may be added: CONTACTSHEET_ROOTS names none that exists.")
        return
    current = Path(st.session_state.setdefault("folder", str(roots[0])))
    st.text_input("Folder", key="folder")
    folder_navigation(current, app.library.folders_in(current), at_root=current in roots)
    known = app.sources.source_at(collection, current) if collection else None
    exclude = exclude_field(f"{collection}_{current}", known)
    captions, table = captions_field(app, current, known)
    if st.button(
        "Add to collection",
        type="primary",
        disabled=not collection,
        icon=":material/drive_folder_upload:",
        key="add_folder",
    ):
        if table is not None:
            captions = app.captions.store(person(), str(collection), table.name, table.getvalue())
            release_files(table)
            st.session_state[TABLES_KEY] = st.session_state.get(TABLES_KEY, 0) + 1
        app.library.add_folder(person(), current, str(collection), exclude, captions)
        st.rerun()


def exclude_field(key: str, known: CollectionSource | None) -> list[str]:
    """Patterns of what is passed over; those that were given before for this folder are there again."""
    text = st.text_area(
        "Exclude",
        "\n".join(known.exclude) if known else "",
        key=f"exclude_{key}",
        placeholder="proofs/",
        height=80,
        help="A pattern per line: *.tmp.jpg, private/ or 1998/contact sheets/*. Bins, thumbnails and catalogs of other "
        "programs are passed over anyway.",
    )
    return [line.strip() for line in text.splitlines() if line.strip()]


def captions_field(app: App, folder: Path, known: CollectionSource | None) -> tuple[Path | None, Any]:
    """A table of captions that lies in the folder, or one that is uploaded; without either it stays as it was."""
    chosen = st.selectbox(
        "Captions",
        [*app.library.tables_in(folder), UPLOAD_TABLE],
        index=None,
        key=f"captions_in_{folder}",
        placeholder="As before" if known and known.captions else "None",
        help="A table of titles, captions, dates and more, with a row per file. The collection remembers it.",
    )
    if chosen != UPLOAD_TABLE:
        return (folder / chosen if chosen else None), None
    offer_upload(app, "collection")
    key = f"folder_captions_{st.session_state.get(TABLES_KEY, 0)}"
    return None, st.file_uploader("Table of captions", type=TABLE_TYPES, key=key)


def folder_navigation(current: Path, subfolders: Sequence[str], at_root: bool) -> None:
    """Move up or down in the folders of the server."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button("Up", icon=":material/arrow_upward:", on_click=open_folder, args=(current.parent,), disabled=at_root)
        st.selectbox(
            "Open a folder in it",
            subfolders,
            index=None,
            key=f"below {current}",
            on_change=open_subfolder,
            args=(current,),
            width=320,
            placeholder=f"{len(subfolders)} folders" if subfolders else "no folders",
        )


def unsplash_form(app: App, collection: str | None) -> None:
    dataset = st.text_input(
        "Dataset", UNSPLASH_LITE, key="dataset", help="The address of a ZIP, or a folder or ZIP of this computer"
    )
    width = st.select_slider("Width of the pictures in pixels", UNSPLASH_WIDTHS, UNSPLASH_WIDTHS[1], key="photo_width")
    st.caption(
        "Unsplash Lite: 25,000 photos, downloaded from Unsplash's image hosts. "
        "Its terms allow search and research, not publishing the photos anew."
    )
    empty = not (collection and dataset.strip())
    if st.button("Add to collection", type="primary", disabled=empty, icon=":material/download:", key="add_dataset"):
        app.library.add_unsplash(person(), dataset.strip(), str(collection), width)
        st.rerun()


def open_folder(target: Path) -> None:
    st.session_state["folder"] = str(target)


def open_subfolder(current: Path) -> None:
    # Each folder's list is a widget of its own: a single one would keep its choice and apply it again.
    chosen = st.session_state[f"below {current}"]
    if chosen:
        open_folder(current / chosen)
