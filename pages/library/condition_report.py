"""The condition of a collection, and a way to delete it."""

from __future__ import annotations

import streamlit as st

from core.app import DEMO, App
from core.library.backup.service import VERIFY_JOB
from core.records.assets import CollectionCondition
from core.text import counted
from pages.library.outcome_notice import run_and_notify
from pages.library.verification_report import show_verification
from pages.ui.format import escape_markdown
from pages.ui.person import person
from pages.ui.resources import retry_demo_build


def show_condition(app: App, collection: str) -> None:
    """The collection's condition, line by line."""
    with st.spinner("Looking"):
        condition = app.condition(collection)
    with st.grid("auto", min_column_width=220):
        for name, value in condition_lines(condition).items():
            st.markdown(f"**{name}**  \n{escape_markdown(value)}")
    show_verification(app, collection)
    if app.access.is_curator(person()):
        deletion_popover(app, collection)


def condition_lines(condition: CollectionCondition) -> dict[str, str]:
    """The condition in words."""
    last = condition.last_job
    job = "none started on this page"
    if last:  # one that verified says itself what it found, whatever its state is called
        job = last.message if last.kind == VERIFY_JOB and not last.open else f"{last.state}: {last.message}"
    originals = "no picture is known by a place on this disk"
    if condition.sampled:
        originals = f"of {counted(condition.sampled, 'picture')} looked for, {condition.missing:,} are missing"
    newest = f"added {condition.last_added_at:%-d %B %Y, %H:%M} UTC" if condition.last_added_at else "there is none"
    return {
        "Last job": job,
        "Newest picture": newest,
        "Dendrogram": condition.dendrogram,
        "Map": condition.map,
        "Texts": condition.text_fit.sentence,
        "Original files": originals,
        "Parts on disk": f"{condition.fragments:,}",
        "Bin": counted(condition.removed, "picture"),
    }


def deletion_popover(app: App, collection: str, label: str = "Delete the collection", suffix: str = "") -> None:
    """Delete a collection once its name is typed; `suffix` tells the keys of several on a page apart."""
    with st.popover(label, icon=":material/delete_forever:", key=f"delete_popover{suffix}"):
        rebuilt = " It is built again when it is looked at next." if collection == DEMO else ""
        st.write(
            "The collection goes, with its bin, clusters, drafts and map. The pictures' files stay where they are, "
            f"uploads too. This cannot be undone.{rebuilt}"
        )
        typed = st.text_input("Type its name to confirm", key=f"typed_{collection}")
        st.button(
            "Delete collection",
            key=f"delete{suffix}",
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
