"""Which gallery a picture was opened from, so that there is a next one, and focus returns to where it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

_KEY, PHOTO = "opened_from", "photo"


@dataclass(frozen=True)
class OpenedFrom:
    """A gallery by its key, the ids of its pictures in order, and the one that is open or was open last."""

    gallery: str = ""
    asset_ids: tuple[str, ...] = ()
    viewed: str = ""


def opened_from() -> OpenedFrom:
    """Where the picture that is open came from."""
    noted: OpenedFrom = st.session_state.get(_KEY, OpenedFrom())
    return noted


def note_gallery(key: str, asset_ids: Sequence[str], opened: str = "") -> None:
    """Note the gallery that a picture is `opened` from; without one, that of the link if it is shown here.

    The gallery that it was opened from may hold other pictures by now.
    """
    photo, before = opened or st.query_params.get(PHOTO, ""), opened_from()
    if photo in asset_ids and (opened or before.gallery == key or photo not in before.asset_ids):
        st.session_state[_KEY] = OpenedFrom(key, tuple(asset_ids), photo)


def note_viewed(asset_id: str) -> Sequence[str]:
    """Note that this picture is open now; returns the pictures among which it is, itself alone if that is not known."""
    before = opened_from()
    if asset_id not in before.asset_ids:
        before = OpenedFrom("", (asset_id,))
    st.session_state[_KEY] = OpenedFrom(before.gallery, before.asset_ids, asset_id)
    return before.asset_ids


def open_state(key: str) -> dict[str, str]:
    """For a gallery: the picture of it that is open, and the one to return the focus to once none is."""
    noted = opened_from()
    if noted.gallery != key:
        return {"open": "", "viewed": ""}
    return {"open": st.query_params.get(PHOTO, ""), "viewed": noted.viewed}
