"""The pictures that a person has selected among the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st

from pages.ui.gallery import GalleryActions, Picks
from pages.ui.streamlit_internals import uninterrupted

_KEY = "selection"


@dataclass(frozen=True)
class Selection:
    """Whether clicks on pictures select them, which are selected, and how often the page has changed that by itself."""

    selecting: bool = False
    asset_ids: tuple[str, ...] = ()
    version: int = 0

    def among(self, shown: Sequence[str]) -> list[str]:
        """The selected pictures of those that are shown, in their order."""
        chosen = set(self.asset_ids)
        return [asset_id for asset_id in shown if asset_id in chosen]

    def picking(self, gallery: Sequence[str], picked: Sequence[str]) -> Selection:
        """The selection once these pictures of one gallery are picked and its others are not; the first one begins it.

        Other galleries keep theirs.
        """
        elsewhere = tuple(asset_id for asset_id in self.asset_ids if asset_id not in set(gallery))
        return replace(self, selecting=self.selecting or bool(picked), asset_ids=(*elsewhere, *picked))

    def changed_to(self, selecting: bool, asset_ids: Sequence[str] = ()) -> Selection:
        """The selection that the page sets, which browsers take over."""
        return Selection(selecting, tuple(asset_ids), self.version + 1)


def selection() -> Selection:
    """The selection of this person."""
    chosen: Selection = st.session_state.get(_KEY, Selection())
    return chosen


def change_selection(selecting: bool, asset_ids: Sequence[str] = ()) -> None:
    """Select exactly these pictures; for callbacks."""
    st.session_state[_KEY] = selection().changed_to(selecting, asset_ids)


def with_selection(actions: GalleryActions, asset_ids: Sequence[str]) -> GalleryActions:
    """The actions of a gallery of these pictures, which can be selected as well."""
    chosen = selection()
    picks = Picks("select" if chosen.selecting else "quiet", chosen.asset_ids, chosen.version)
    return replace(actions, on_pick=partial(_pick, tuple(asset_ids)), picks=picks)


@uninterrupted
def _pick(gallery: Sequence[str], picked: list[str]) -> None:
    st.session_state[_KEY] = selection().picking(gallery, picked)
