"""The threshold curve: what every threshold would give, where it is steady; a click sets the threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from core.app import App
from core.clusters.curve import Curve, Plateau
from core.clusters.edits import SetThreshold
from pages.clusters.work import Work, change
from pages.ui.undisturbed import undisturbed

POINTS, HEIGHT_PX = 120, 190
GROUPS_COLOUR, SHARE_COLOUR, STEADY_COLOUR = "#b3331f", "#7d8a91", "rgba(125, 138, 145, 0.18)"


def show_curve(app: App, work: Work, curve: Curve, steady: Sequence[Plateau]) -> None:
    """The curve with the present and the published threshold, and buttons for the steady ones."""
    if not len(curve.similarity):
        return
    published = work.published.threshold if work.published else None
    st.plotly_chart(
        figure(curve, steady, work.plan.threshold, published), key="curve", on_select=lambda: clicked(app, work),
        selection_mode="points", config={"displayModeBar": False},
    )  # fmt: skip
    if steady:
        with st.container(horizontal=True):
            for place, plateau in enumerate(steady):
                st.button(
                    f"{plateau.threshold:.3f}", key=f"plateau_{place}", icon=":material/horizontal_rule:",
                    help=f"A steady threshold: {plateau.reason}", on_click=change,
                    args=(app, work.collection, SetThreshold(plateau.threshold)),
                )  # fmt: skip


@undisturbed
def clicked(app: App, work: Work) -> None:
    points = st.session_state["curve"]["selection"]["points"]
    if points:
        change(app, work.collection, SetThreshold(float(points[0]["x"])))


def figure(curve: Curve, steady: Sequence[Plateau], threshold: float, published: float | None) -> go.Figure:
    """Clusters that count and the share of pictures in them, over all thresholds."""
    at, counts = curve.sampled(POINTS)
    drawn = go.Figure()
    for values, name, colour, axis in (
        (counts.groups, "clusters", GROUPS_COLOUR, "y"),
        (np.round(100 * counts.share, 1), "% of the pictures in them", SHARE_COLOUR, "y2"),
    ):
        drawn.add_scatter(
            x=at, y=values, name=name, yaxis=axis, mode="lines+markers", line={"color": colour, "width": 1.5},
            marker={"size": 4, "color": colour}, hovertemplate="%{x:.3f}: %{y} " + name + "<extra></extra>",
        )  # fmt: skip
    for plateau in steady:
        drawn.add_vrect(plateau.lowest, plateau.highest, fillcolor=STEADY_COLOUR, line_width=0, layer="below")
    drawn.add_vline(threshold, line={"color": GROUPS_COLOUR, "width": 2})
    if published is not None and published != threshold:
        dotted = {"color": SHARE_COLOUR, "width": 1.5, "dash": "dot"}
        drawn.add_vline(published, line=dotted, annotation_text="published", annotation_position="top left")
    drawn.update_layout(
        height=HEIGHT_PX, margin={"l": 36, "r": 36, "t": 8, "b": 24}, dragmode=False, hovermode="closest",
        legend={"orientation": "h", "y": 1.22, "x": 0}, yaxis={"rangemode": "tozero", "fixedrange": True},
        xaxis={"fixedrange": True},
        yaxis2={"overlaying": "y", "side": "right", "range": [0, 101], "dtick": 50, "showgrid": False,
                "fixedrange": True},
    )  # fmt: skip
    return drawn
