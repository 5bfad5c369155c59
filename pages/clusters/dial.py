"""The dial: thresholds by slider, as numbers and on the curve of clusters per threshold.

It is a component because a person moves it faster than the server responds: the latest value counts, whatever older
responses say. `dial.js` describes the protocol that keeps the two in sync.
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
from core.clusters.edits.model import SetMinClusterSize, SetThreshold
from core.clusters.tree.threshold_curve import ThresholdCurve, ThresholdPlateau
from pages.clusters.draft_state import DraftState, apply_edit
from pages.ui.streamlit_internals import uninterrupted

DIAL_KEY, MESSAGES_KEY, CURVE_POINTS = "dial", "dial_messages", 120
_HERE = Path(__file__).parent
_COMPONENT = st.components.v2.component(
    "contact_sheet_dial",
    html=(_HERE / "dial.html").read_text(encoding="utf-8"),
    css=(_HERE / "dial.css").read_text(encoding="utf-8"),
    js=(_HERE / "dial.js").read_text(encoding="utf-8"),
)


@dataclass
class DialMessages:
    """What this session has received from the browser's dial: the number of the latest value, for each control."""

    session: str = field(default_factory=lambda: secrets.token_hex(8))
    received: dict[str, int] = field(default_factory=lambda: {"threshold": 0, "smallest": 0})

    def receive(self, message: Mapping[str, Any]) -> dict[str, float]:
        """Return the values not received before, and record them; none from a message to another session."""
        if message.get("session") != self.session:
            return {}
        new_values = {}
        for name, latest in self.received.items():
            number, value = message.get(name) or (0, 0.0)
            if number > latest:
                self.received[name], new_values[name] = int(number), float(value)
        return new_values


def show_dial(app: App, state: DraftState, curve: ThresholdCurve, steady: Sequence[ThresholdPlateau]) -> None:
    """The dial at the state's thresholds; a value set on it is applied as an edit before the next run."""
    messages: DialMessages = st.session_state.setdefault(MESSAGES_KEY, DialMessages())
    at, counts = curve.sample(CURVE_POINTS)
    _COMPONENT(
        key=DIAL_KEY,
        data={
            "session": messages.session,
            "heard": messages.received,
            "threshold": state.plan.threshold,
            "smallest": state.plan.min_cluster_size,
            "lowest": lowest_threshold(curve),
            "published": state.published.threshold if state.published else None,
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
        on_asked_change=lambda: on_dial_change(app, state.collection),
    )


@uninterrupted
def on_dial_change(app: App, collection: str) -> None:
    """Apply the values that were set on the dial."""
    message = st.session_state[DIAL_KEY].get("asked")
    new_values = st.session_state[MESSAGES_KEY].receive(message) if message else {}
    if "threshold" in new_values:
        apply_edit(app, collection, SetThreshold(new_values["threshold"]), coalesce=True)
    if "smallest" in new_values:
        apply_edit(app, collection, SetMinClusterSize(int(new_values["smallest"])), coalesce=True)


def lowest_threshold(curve: ThresholdCurve) -> float:
    """The dial's lowest threshold, at which all is one cluster; a multiple of the slider's steps."""
    lowest = float(curve.similarity[-1]) if len(curve.similarity) else 0.0
    return min(0.0, math.floor(lowest * 200) / 200)
