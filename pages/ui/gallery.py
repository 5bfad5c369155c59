"""A grid of pictures that reports which one was opened, or asked for its like.

Streamlit's own image reports no click, hence a component. Pictures travel through Streamlit's media endpoint;
titles are set as text, so that nothing in them is ever read as HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from streamlit.runtime import Runtime, exists

from core.records.assets import Hit
from pages.ui.credit import credit
from pages.ui.streamlit_internals import uninterrupted

_HERE = Path(__file__).parent
_COMPONENT = st.components.v2.component(
    "contact_sheet_gallery",
    html='<div class="sheet" role="list"></div>',
    css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
    js=(_HERE / "gallery.js").read_text(encoding="utf-8"),
)


WithPicture = Callable[[str], None]
Size = Literal["small", "medium", "large"]
MOST_CLICKS = 200


@dataclass(frozen=True)
class Click:
    """A click on a thumb, which a later one numbers higher: up, down, or None where it takes the thumb back."""

    number: int
    asset_id: str
    up: bool | None


@dataclass(frozen=True)
class Thumbs:
    """The thumbs that are `given`, by asset id; `on_clicks` hears the browser's clicks, those before `heard` again.

    A browser shows its own clicks at once; those numbered above `heard` outweigh what is `given`.
    """

    given: Mapping[str, bool]
    heard: int
    on_clicks: Callable[[list[Click]], None]


def gallery(
    hits: Sequence[Hit],
    key: str,
    on_open: WithPicture,
    on_similar: WithPicture,
    show_similarity: bool = True,
    reasons: Mapping[str, str] | None = None,
    first: int | None = None,
    size: Size = "medium",
    on_pick: Callable[[list[str]], None] | None = None,
    thumbs: Thumbs | None = None,
) -> None:
    """Show pictures in the order given, with their rank, or numbered from `first`.

    `reasons` (by asset id) are sentences under the pictures; `small` is a strip of reminders, `large` for a few. A
    click or Enter on one calls `on_open` with its asset id before the next run, its second button `on_similar`. With
    `on_pick` pictures can be ticked, and it hears the ids of those that are. With `thumbs` they can be judged.
    """

    def said(event: str) -> Any:
        return st.session_state[key].get(event)

    @uninterrupted
    def opened() -> None:
        if said("opened"):
            on_open(said("opened"))

    @uninterrupted
    def similar() -> None:
        if said("similar"):
            on_similar(said("similar"))

    @uninterrupted
    def picked() -> None:
        if on_pick:
            on_pick(list(said("picked") or []))

    @uninterrupted
    def clicked() -> None:
        if thumbs:
            thumbs.on_clicks(clicks_of(said("clicks")))

    _COMPONENT(
        key=key,
        data={
            "size": size,
            "pickable": on_pick is not None,
            "thumbs": dict(thumbs.given) if thumbs else None,
            "heard": thumbs.heard if thumbs else 0,
            "frames": [
                _frame(hit, f"{key}-{place}", show_similarity)
                | {
                    "number": hit.rank if first is None else first + place,
                    "reason": (reasons or {}).get(hit.asset.id, ""),
                }
                for place, hit in enumerate(hits)
            ],
        },
        on_opened_change=opened,
        on_similar_change=similar,
        on_picked_change=picked,
        on_clicks_change=clicked,
    )


def open_picture(asset_id: str) -> None:
    """The next run shows this picture's details."""
    st.query_params["photo"] = asset_id


def find_similar(asset_id: str) -> None:
    """The next run goes to the search for pictures like this one."""
    st.query_params["like"] = asset_id


def clicks_of(state: object) -> list[Click]:
    """Clicks as a browser tells them, `[number, asset id, "up", "down" or ""]`; what is none of that is left out."""
    told = state if isinstance(state, list) else []
    means = {"up": True, "down": False, "": None}
    return [
        Click(int(number), asset_id, means[which])
        for number, asset_id, which in (entry for entry in told[-MOST_CLICKS:] if _is_click(entry))
    ]


def _is_click(entry: object) -> bool:
    if not isinstance(entry, list) or len(entry) != 3:
        return False
    number, asset_id, which = entry
    return isinstance(number, int | float) and isinstance(asset_id, str) and which in ("up", "down", "")


@dataclass(frozen=True)
class Card:
    """A picture that stands for something: its id, a title, a line about it, and whether the title is a suggestion."""

    id: str
    title: str
    caption: str
    thumbnail: bytes = field(repr=False)
    suggested: bool = False


def cards(shown: Sequence[Card], key: str, on_open: WithPicture) -> None:
    """Show cards in the order given; a click or Enter on one calls `on_open` with its id before the next run."""

    def told() -> None:
        card_id = st.session_state[key].get("opened")
        if card_id:
            on_open(card_id)

    frames = [
        {
            "id": card.id,
            "url": media_url(card.thumbnail, f"{key}-{place}") if card.thumbnail else "",
            "title": card.title,
            "similarity": "",
            "number": "",
            "reason": card.caption,
            "suggested": card.suggested,
        }
        for place, card in enumerate(shown)
    ]
    _COMPONENT(
        key=key,
        data={"size": "medium", "pickable": False, "cards": True, "frames": frames},
        on_opened_change=uninterrupted(told),
        on_similar_change=lambda: None,
        on_picked_change=lambda: None,
        on_clicks_change=lambda: None,
    )


def _frame(hit: Hit, place: str, show_similarity: bool) -> dict[str, object]:
    return {
        "id": hit.asset.id,
        "url": media_url(hit.thumbnail, place),
        "title": hit.asset.title,
        "similarity": f"{hit.similarity:.3f}" if show_similarity else "",
        "credit": credit(hit.asset),
    }


def media_url(jpeg: bytes, place: str) -> str:
    """Hand a JPEG to Streamlit's media endpoint and return its path; `place` names where on the page it is shown."""
    if not exists():
        return ""
    return Runtime.instance().media_file_mgr.add(jpeg, "image/jpeg", place)
