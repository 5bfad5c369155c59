"""A collection's model, and the same pictures embedded with another one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.access import Action
from core.app import DEMO, App
from core.records.assets import SiblingCollection
from core.text import counted
from pages.library.outcome_notice import run_and_notify
from pages.ui.format import escape_markdown, model_label
from pages.ui.person import explain_unless_allowed, person


def show_model(app: App, collection: str) -> None:
    """The model in use, the collections embedded with other models, and a form to embed with another one."""
    model = app.model(collection)
    st.markdown(f"Embedded with **{escape_markdown(model_label(model.name))}**, {model.dimension} dimensions.")
    siblings = app.reembedding.siblings(collection)
    for sibling in siblings:
        with st.container(border=True):
            show_sibling(app, collection, sibling)
    if explain_unless_allowed(app.access, Action.EMBED_AGAIN):
        reembed_form(app, collection, siblings)


def show_sibling(app: App, collection: str, sibling: SiblingCollection) -> None:
    """One collection of the same pictures: how complete it is, and the switch to it."""
    name, model = escape_markdown(sibling.name), escape_markdown(model_label(sibling.model.name))
    missing = f" · {sibling.missing:,} missing" if sibling.missing else ""
    st.markdown(f"**{name}** · {model} · {counted(sibling.size, 'picture')}{missing}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.page_link(
            "pages/search/page.py",
            label="Try it",
            icon=":material/search:",
            width="content",
            query_params={"collection": sibling.name},
        )
        if not app.access.is_curator(person()):
            return
        if collection == DEMO:
            st.caption("The demo collection keeps the bundled model.", width="content")
            return
        with st.popover("Switch over", icon=":material/swap_horiz:"):
            switch_form(app, collection, sibling)


def switch_form(app: App, collection: str, sibling: SiblingCollection) -> None:
    """What switching to a sibling means, and the button that does it."""
    name = escape_markdown(collection)
    st.write(
        f"From then on {name} means these vectors, for everyone. The old ones are kept as another "
        "collection until you delete it. Saved clusterings stay; their thresholds were made for the old model."
    )
    if sibling.missing:
        st.warning(f"{counted(sibling.missing, 'picture')} of {name} would stay behind in the old one.")
    st.button(
        "Switch over",
        key=f"switch_{sibling.name}",
        type="primary",
        on_click=run_and_notify,
        args=(lambda: switch_model(app, collection, sibling.name),),
    )


def switch_model(app: App, collection: str, sibling: str) -> str:
    old_name = app.reembedding.switch(person(), collection, sibling)
    return f"{collection} now means what {sibling} was; the old one is kept as {old_name}."


def reembed_form(app: App, collection: str, siblings: Sequence[SiblingCollection]) -> None:
    """Start a job, or continue one that left pictures out."""
    with st.form("reembed", border=False):
        default = app.encoders.model_for_new_collections
        st.text_input(
            "Another model",
            "" if default == app.model(collection).name else default,
            key="reembed_model",
            placeholder="ViT-B-32/openai",
            help="As the setting CONTACTSHEET_MODEL takes it",
        )
        name = siblings[0].name if siblings else f"{collection[:50]}-new"
        st.text_input("Name of the new collection", name, key="reembed_name")
        st.checkbox("Where the original file is gone, use the thumbnail", key="reembed_thumbnails")
        st.form_submit_button(
            "Embed again",
            icon=":material/model_training:",
            on_click=run_and_notify,
            args=(lambda: start_reembedding(app, collection),),
        )
    st.caption("The collection is used as before meanwhile; pictures can be added again when the job has ended.")


def start_reembedding(app: App, collection: str) -> str:
    form = st.session_state
    name = form["reembed_name"].strip()
    app.reembedding.start(person(), collection, form["reembed_model"], name, form["reembed_thumbnails"])
    return f"{collection} is being embedded again, as {name}: see the jobs below."
