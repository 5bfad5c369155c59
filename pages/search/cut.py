"""What words are looked for in, and the minimum similarity with how many pictures it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import plotly.graph_objects as go
import streamlit as st

from core.records.assets import SearchResult
from core.records.searches import SearchBy
from core.text import counted

BY_LABELS: dict[SearchBy, str] = {"both": "Both", "pixels": "Pixels", "words": "Words"}
CHART_HEIGHT, COLOUR = 90, "#7d8a91"  # legible on light and dark


def by_control() -> SearchBy:
    """A switch between pixels, words and both, which the URL holds."""
    chosen: SearchBy | None = st.segmented_control(
        "Look for words in",
        get_args(SearchBy),
        format_func=lambda by: BY_LABELS[by],
        default="both",
        required=True,
        key="by",
        bind="query-params",
        help="Pixels: what pictures show. Words: titles, descriptions, keywords, people, places and file names.",
    )
    return chosen or "both"


def show_spread(result: SearchResult, floor: float) -> None:
    """How many pictures of a search there are at each similarity, and how many the minimum leaves."""
    if not any(result.spread):
        return
    st.plotly_chart(
        spread_chart(result.spread, floor),
        key="spread",
        height=CHART_HEIGHT,
        config={"displayModeBar": False, "staticPlot": True},
    )
    if floor > 0:
        st.caption(f"{counted(result.matching, 'picture')} remain")


def spread_chart(spread: Sequence[int], floor: float) -> go.Figure:
    """A histogram from 0 to 1, as the slider goes; pictures less similar than 0 count at its left end."""
    half = len(spread) // 2
    counts = [sum(spread[: half + 1]), *spread[half + 1 :]]
    width = 1 / half
    centres = [(step + 0.5) * width for step in range(half)]
    opacity = [1.0 if centre + width / 2 > floor else 0.25 for centre in centres]
    bars = go.Bar(x=centres, y=counts, width=width, marker={"color": COLOUR, "opacity": opacity})
    layout = go.Layout(
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis={"range": [0, 1], "visible": False},
        yaxis={"visible": False},
        bargap=0,
        showlegend=False,
    )
    return go.Figure(bars, layout)
