"""The dial: thresholds by slider, by number and on the curve of what each of them gives.

It is a component because a person moves it faster than a server answers: what they set last is what counts, whatever
older answers say. `dial.js` tells how the two keep in step.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from core.app import App
from core.clusters.edits.model import SetSmallest, SetThreshold
from core.clusters.tree.threshold_curve import ThresholdCurve, ThresholdPlateau
from pages.clusters.draft_state import DraftState, change
from pages.ui.streamlit_internals import uninterrupted

KEY, POINTS = "dial", 120
_HERE = Path(__file__).parent
_COMPONENT = st.components.v2.component(
    "contact_sheet_dial",
    html=(_HERE / "dial.html").read_text(encoding="utf-8"),
    css=(_HERE / "dial.css").read_text(encoding="utf-8"),
    js=(_HERE / "dial.js").read_text(encoding="utf-8"),
)


@dataclass
class DialMessages:
    """What a browser's dial has said to this session: the number of the last value taken in, for each control."""

    session: str = field(default_factory=lambda: secrets.token_hex(8))
    numbers: dict[str, int] = field(default_factory=lambda: {"threshold": 0, "smallest": 0})

    def news(self, said: Mapping[str, Any]) -> dict[str, float]:
        """The values not taken in before, which then are; empty for what was said to another session."""
        if said.get("session") != self.session:
            return {}
        fresh = {}
        for name, heard in self.numbers.items():
            number, value = said.get(name) or (0, 0.0)
            if number > heard:
                self.numbers[name], fresh[name] = int(number), float(value)
        return fresh


def show_dial(app: App, work: DraftState, curve: ThresholdCurve, steady: Sequence[ThresholdPlateau]) -> None:
    """The dial at the work's thresholds; what is set on it becomes a change before the next run."""
    heard: DialMessages = st.session_state.setdefault("dial_heard", DialMessages())
    at, counts = curve.sampled(POINTS)
    _COMPONENT(
        key=KEY,
        data={
            "session": heard.session,
            "heard": heard.numbers,
            "threshold": work.plan.threshold,
            "smallest": work.plan.smallest,
            "lowest": lowest_of(curve),
            "published": work.published.threshold if work.published else None,
            "curve": {
                "at": np.round(at, 4).tolist(),
                "groups": counts.groups.tolist(),
                "share": np.round(100 * counts.share, 1).tolist(),
            }
            if len(curve.similarity)
            else None,
            "plateaus": [
                {"threshold": p.threshold, "lowest": p.lowest, "highest": p.highest, "reason": p.reason} for p in steady
            ],
        },
        on_asked_change=lambda: asked(app, work.collection),
    )


@uninterrupted
def asked(app: App, collection: str) -> None:
    """Take in what was set on the dial."""
    said, heard = st.session_state[KEY].get("asked"), st.session_state["dial_heard"]
    news = heard.news(said) if said else {}
    if "threshold" in news:
        change(app, collection, SetThreshold(news["threshold"]), coalesce=True)
    if "smallest" in news:
        change(app, collection, SetSmallest(int(news["smallest"])), coalesce=True)


def lowest_of(curve: ThresholdCurve) -> float:
    """The dial's lowest threshold, where all is one cluster; a multiple of the slider's steps."""
    lowest = float(curve.similarity[-1]) if len(curve.similarity) else 0.0
    return min(0.0, math.floor(lowest * 200) / 200)
