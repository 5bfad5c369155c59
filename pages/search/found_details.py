"""Why the open picture is among the results, and the near-duplicates that lie under it."""

from __future__ import annotations

import streamlit as st

from core.app import App
from core.records.assets import Asset, FoundText, Hit
from pages.search.conversation import conversation
from pages.search.picture_details import RESULT_ACTIONS
from pages.search.receipt import found_words
from pages.ui.format import escape_markdown
from pages.ui.gallery import GalleryLayout, gallery

MAX_CONTEXT = 60  # characters of a text around the words that were found


def show_why(app: App, asset: Asset) -> None:
    """What the picture was found by in the latest search, and those that look the same."""
    turn = conversation()[-1] if conversation() else None
    hit = found_hit(turn.answer.hits, asset.id) if turn else None
    if turn is None or hit is None:
        return
    if hit.found is not None and hit.found.texts:
        st.markdown(f"**Words found** {escape_markdown(found_words(hit.found))}")
        if not any(text.field == "title" for text in hit.found.texts):
            for text in hit.found.texts:
                if text.field == "description":
                    st.markdown(marked(text))
    if hit.folded:
        st.markdown(f"**Looks the same** · {len(hit.folded):,}")
        pictures = app.pictures(turn.collection, hit.folded)
        layout = GalleryLayout("small", show_similarity=False)
        gallery(turn.collection, pictures, f"folded_{asset.id}", RESULT_ACTIONS, layout)


def found_hit(hits: tuple[Hit, ...], asset_id: str) -> Hit | None:
    """The result that is this picture, or under which it lies."""
    return next((hit for hit in hits if asset_id in (hit.asset.id, *hit.folded)), None)


def marked(text: FoundText) -> str:
    """A text as Markdown with the words that were found marked, and a little of what stands around them."""
    first, last = text.spans[0][0], text.spans[-1][1]
    start, end = max(0, first - MAX_CONTEXT), min(len(text.text), last + MAX_CONTEXT)
    pieces, at = ["…" if start else ""], start
    for word_start, word_end in text.spans:
        pieces.append(escape_markdown(text.text[at:word_start]))
        pieces.append(f"**:primary-background[{escape_markdown(text.text[word_start:word_end])}]**")
        at = word_end
    return "".join([*pieces, escape_markdown(text.text[at:end]), "…" if end < len(text.text) else ""])
