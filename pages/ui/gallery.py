"""A grid of pictures that reports which one was opened, or asked for its like.

Streamlit's own image reports no click, hence a component. Pictures come from the routes of images, by address; titles
are set as text, so that nothing in them is ever read as HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from core.records.assets import Hit
from core.records.encoded_images import ImageKind
from pages.ui.credit import photo_credit
from pages.ui.opened_pictures import PHOTO, note_gallery, open_state
from pages.ui.routes import image_url
from pages.ui.streamlit_internals import uninterrupted

_HERE = Path(__file__).parent
_COMPONENT = st.components.v2.component(
    "contact_sheet_gallery",
    html='<div class="sheet" role="list"></div>',
    css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
    js=(_HERE / "gallery.js").read_text(encoding="utf-8"),
)

Size = Literal["small", "medium", "large"]
MAX_CLICKS = 200


def ignore_click(asset_id: str) -> None:
    """For pictures that are only to look at."""


@dataclass(frozen=True)
class Picks:
    """How pictures are picked: `quiet` by ticks that show under the pointer, `select` by clicks on the pictures too.

    A browser keeps what is picked; it takes over `asset_ids` when `version` is another one.
    """

    mode: Literal["quiet", "select"]
    asset_ids: tuple[str, ...] = ()
    version: int = 0


@dataclass(frozen=True)
class GalleryActions:
    """What is called before the next run, with asset ids: of the picture that was opened or asked for its like.

    With `on_pick` pictures can be ticked, or picked as `picks` says, and it is called with the ids of those that are.
    """

    on_open: Callable[[str], None] = ignore_click
    on_similar: Callable[[str], None] = ignore_click
    on_pick: Callable[[list[str]], None] | None = None
    picks: Picks | None = None


@dataclass(frozen=True)
class Divider:
    """A line between the first `after` pictures and the others, with a text."""

    after: int
    text: str


@dataclass(frozen=True)
class GalleryLayout:
    """How pictures are shown: `small` is a strip of small thumbnails, `large` for a few.

    They are numbered by rank, or from `first`. `reasons` (by asset id) are sentences under the pictures; `kind` is
    `bin` for pictures that were removed.
    """

    size: Size = "medium"
    show_similarity: bool = True
    first: int | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)
    kind: ImageKind = "thumbnail"
    divider: Divider | None = None


@dataclass(frozen=True)
class Click:
    """A click on a thumb, which a later one numbers higher: up, down, or None where it takes the thumb back."""

    number: int
    asset_id: str
    up: bool | None


@dataclass(frozen=True)
class Thumbs:
    """The thumbs that are `given`, by asset id; `on_clicks` gets the browser's latest clicks, some of them again.

    A browser shows its own clicks at once; those numbered above `acknowledged` outweigh what is `given`.
    """

    given: Mapping[str, bool]
    acknowledged: int
    on_clicks: Callable[[list[Click]], None]


def gallery(
    collection: str,
    hits: Sequence[Hit],
    key: str,
    actions: GalleryActions = GalleryActions(),
    layout: GalleryLayout = GalleryLayout(),
    thumbs: Thumbs | None = None,
) -> None:
    """Show pictures of a collection in the order given; with `thumbs` they can be judged."""

    def state(event: str) -> Any:
        return st.session_state[key].get(event)

    ids = [hit.asset.id for hit in hits]
    note_gallery(key, ids)

    @uninterrupted
    def on_opened() -> None:
        if state("opened"):
            note_gallery(key, ids, state("opened"))
            actions.on_open(state("opened"))

    @uninterrupted
    def on_similar() -> None:
        if state("similar"):
            actions.on_similar(state("similar"))

    @uninterrupted
    def on_picked() -> None:
        if actions.on_pick:
            actions.on_pick(list(state("picked") or []))

    @uninterrupted
    def on_clicks() -> None:
        if thumbs:
            thumbs.on_clicks(parse_clicks(state("clicks")))

    _COMPONENT(
        key=key,
        data={
            "size": layout.size,
            **_picks(actions),
            "thumbs": dict(thumbs.given) if thumbs else None,
            "acknowledged": thumbs.acknowledged if thumbs else 0,
            "frames": [_frame(collection, hit, position, layout) for position, hit in enumerate(hits)],
            "divider": vars(layout.divider) if layout.divider else None,
            **open_state(key),
        },
        on_opened_change=on_opened,
        on_similar_change=on_similar,
        on_picked_change=on_picked,
        on_clicks_change=on_clicks,
    )


def open_picture(asset_id: str) -> None:
    """The next run shows this picture's details."""
    st.query_params[PHOTO] = asset_id


def find_similar(asset_id: str) -> None:
    """The next run goes to the search for pictures like this one."""
    st.query_params["like"] = asset_id


def parse_clicks(state: object) -> list[Click]:
    """Clicks as a browser sends them, `[number, asset id, "up", "down" or ""]`; anything else is left out."""
    entries = state if isinstance(state, list) else []
    meanings = {"up": True, "down": False, "": None}
    return [
        Click(int(number), asset_id, meanings[which])
        for number, asset_id, which in (entry for entry in entries[-MAX_CLICKS:] if _is_click(entry))
    ]


def _is_click(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 3:
        return False
    number, asset_id, which = entry
    return isinstance(number, int | float) and isinstance(asset_id, str) and which in ("up", "down", "")


@dataclass(frozen=True)
class GalleryCard:
    """A picture that stands for something: that thing's id, its title (suggested or not) and a line about it."""

    id: str
    title: str
    caption: str
    asset_id: str
    suggested: bool = False


def cards(collection: str, shown: Sequence[GalleryCard], key: str, on_open: Callable[[str], None]) -> None:
    """Show cards in the order given; a click or Enter on one calls `on_open` with its id before the next run."""

    def on_opened() -> None:
        card_id = st.session_state[key].get("opened")
        if card_id:
            on_open(card_id)

    frames = [
        {
            "id": card.id,
            "url": image_url(collection, card.asset_id),
            "title": card.title,
            "similarity": "",
            "number": "",
            "reason": card.caption,
            "suggested": card.suggested,
        }
        for card in shown
    ]
    _COMPONENT(
        key=key,
        data={"size": "medium", "cards": True, "frames": frames},
        on_opened_change=uninterrupted(on_opened),
        on_similar_change=lambda: None,
        on_picked_change=lambda: None,
        on_clicks_change=lambda: None,
    )


def _picks(actions: GalleryActions) -> dict[str, object]:
    if actions.on_pick is None:
        return {"pick": ""}
    if actions.picks is None:
        return {"pick": "ticks"}
    return {"pick": actions.picks.mode, "picked": {"ids": actions.picks.asset_ids, "version": actions.picks.version}}


def _frame(collection: str, hit: Hit, position: int, layout: GalleryLayout) -> dict[str, object]:
    return {
        "id": hit.asset.id,
        "url": image_url(collection, hit.asset.id, layout.kind),
        "title": hit.asset.title,
        "similarity": f"{hit.similarity:.3f}" if layout.show_similarity else "",
        "credit": photo_credit(hit.asset),
        "number": hit.rank if layout.first is None else layout.first + position,
        "reason": layout.reasons.get(hit.asset.id, ""),
        "pieces": title_pieces(hit),
        "folded": len(hit.folded),
    }


def title_pieces(hit: Hit) -> list[str] | None:
    """The title in pieces, every second one of which are words of the query; None if it has none."""
    title = hit.asset.title
    texts = hit.found.texts if hit.found else ()
    spans = next((text.spans for text in texts if text.field in ("title", "name") and text.text == title), ())
    pieces, last = list[str](), 0
    for start, end in spans:
        pieces += [title[last:start], title[start:end]]
        last = end
    return [*pieces, title[last:]] if spans else None
