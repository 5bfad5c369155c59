"""How a collection is doing, and its end."""

from __future__ import annotations

import streamlit as st

from core.app import DEMO, App
from core.records.assets import CollectionCondition
from pages.library.outcome_notice import run_and_notify
from pages.ui.format import escape_markdown, pictures
from pages.ui.person import person
from pages.ui.resources import retry_demo_build


def show_condition(app: App, collection: str) -> None:
    """What is known of the collection's state, line by line."""
    with st.spinner("Looking"):
        found = app.condition(collection)
    with st.grid("auto", min_column_width=220):
        for name, value in condition_lines(found).items():
            st.markdown(f"**{name}**  \n{escape_markdown(value)}")
    if app.access.is_curator(person()):
        deletion_popover(app, collection)


def condition_lines(found: CollectionCondition) -> dict[str, str]:
    """The condition in words."""
    job = f"{found.job.state}: {found.job.message}" if found.job else "none from this page"
    originals = "no picture is known by a place on this disk"
    if found.sampled:
        originals = f"of {pictures(found.sampled)} looked for, {found.missing:,} are missing"
    return {
        "Last job": job,
        "Newest picture": f"added {found.newest:%-d %B %Y, %H:%M} UTC" if found.newest else "there is none",
        "Dendrogram": found.dendrogram,
        "Map": found.map,
        "Original files": originals,
        "Parts on disk": f"{found.fragments:,}",
        "Bin": pictures(found.removed),
    }


def deletion_popover(app: App, collection: str) -> None:
    with st.popover("Delete the collection", icon=":material/delete_forever:"):
        again = " It is built again when it is looked at next." if collection == DEMO else ""
        st.write(
            "The collection goes, with its bin, clusters, drafts and map. The pictures' files stay where they are, "
            f"uploads too. This cannot be undone.{again}"
        )
        typed = st.text_input("Type its name to confirm", key=f"typed_{collection}")
        st.button(
            "Delete it",
            key="delete",
            type="primary",
            disabled=typed.strip() != collection,
            on_click=run_and_notify,
            args=(lambda: delete_collection(app, collection, typed),),
        )


def delete_collection(app: App, collection: str, typed: str) -> str:
    app.removal.delete(person(), collection, typed)
    if collection == DEMO:
        retry_demo_build()
    st.query_params.pop("collection", None)
    return f"{collection} is deleted."
