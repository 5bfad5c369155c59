"""A collection's model, and the same pictures embedded by another one."""

from __future__ import annotations

import streamlit as st

from core.app import DEMO, App
from core.records.assets import SiblingCollection
from pages.library.notices import carry_out
from pages.ui.format import pictures, plain, short_model
from pages.ui.person import only_curators, person


def show_model(app: App, collection: str) -> None:
    """The model in use, what lies beside, and a form to embed with another one."""
    model = app.model(collection)
    st.markdown(f"Embedded with **{plain(short_model(model.name))}**, {model.dimension} dimensions.")
    beside = app.reembedding.beside(collection)
    for other in beside:
        with st.container(border=True):
            show_beside(app, collection, other)
    if only_curators(app.access, "embed a collection with another model"):
        another(app, collection, beside)


def show_beside(app: App, collection: str, other: SiblingCollection) -> None:
    """One collection of the same pictures: how complete it is, and the switch to it."""
    missing = f" · {other.missing:,} missing" if other.missing else ""
    st.markdown(f"**{plain(other.name)}** · {plain(short_model(other.model.name))} · {pictures(other.size)}{missing}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/search/page.py",
            label="Try it",
            icon=":material/search:",
            width="content",
            query_params={"collection": other.name},
        )
        if not app.access.is_curator(person()):
            return
        if collection == DEMO:
            st.caption("The demo collection keeps the bundled model.", width="content")
            return
        with st.popover("Switch over", icon=":material/swap_horiz:"):
            st.write(
                f"From then on {plain(collection)} means these vectors, for everyone. The old ones are kept as another "
                "collection until you delete it. Saved clusterings stay; their thresholds were made for the old model."
            )
            if other.missing:
                st.warning(f"{pictures(other.missing)} of {plain(collection)} would stay behind in the old one.")
            st.button(
                "Switch over",
                key=f"switch_{other.name}",
                type="primary",
                on_click=carry_out,
                args=(lambda: switch(app, collection, other.name),),
            )


def switch(app: App, collection: str, to: str) -> str:
    kept = app.reembedding.switch(person(), collection, to)
    return f"{collection} now means what {to} was; the old one is kept as {kept}."


def another(app: App, collection: str, beside: list[SiblingCollection]) -> None:
    """Start a job, or go on with one that left pictures out."""
    with st.form("reembed", border=False):
        wanted = app.encoders.for_new_collections
        st.text_input(
            "Another model",
            "" if wanted == app.model(collection).name else wanted,
            key="reembed_model",
            placeholder="ViT-B-32/openai",
            help="As the setting CONTACTSHEET_MODEL takes it",
        )
        st.text_input(
            "Name of the new collection", beside[0].name if beside else f"{collection[:50]}-new", key="reembed_name"
        )
        st.checkbox("Where the original file is gone, use the thumbnail", key="reembed_thumbnails")
        st.form_submit_button(
            "Embed again", icon=":material/model_training:", on_click=carry_out, args=(lambda: start(app, collection),)
        )
    st.caption("The collection is used as before meanwhile; pictures can be added again when the job has ended.")


def start(app: App, collection: str) -> str:
    asked = st.session_state
    name = asked["reembed_name"].strip()
    app.reembedding.start(person(), collection, asked["reembed_model"], name, asked["reembed_thumbnails"])
    return f"{collection} is being embedded again, as {name}: see the jobs below."
