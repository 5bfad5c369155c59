"""The map on the page: a component that keeps Plotly's drawing in place while colours change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.clusters.map_figure import Figure
from pages.ui.plotly_js import PATH

HEIGHT_PX = 520
_COMPONENT = st.components.v2.component(
    "contact_sheet_map",
    html=f'<div class="map" style="height: {HEIGHT_PX}px"></div>',
    js=(Path(__file__).parent / "map.js").read_text(encoding="utf-8"),
    isolate_styles=False,  # Plotly adds its own styles to the document
)


@dataclass(frozen=True, eq=False)
class MapData:
    """What the browser draws: a figure of a collection version, whose points are `rows` (k,).

    `sampled` tells that these are not all points. A new `viewport` number makes the browser show the figure's part of
    the map instead of where the person has moved.
    """

    version: str
    figure: Figure
    rows: NDArray[np.int32]
    sampled: bool
    viewport: int


def draw_map(key: str, data: MapData, on_move: Callable[[], None]) -> None:
    """Draw the map.

    Its state has `selection` (`version`, `rows`, `box`, `lasso`; None if nothing is selected) and, for a sampled map,
    `seen`: the `box` that the person has moved to and the viewport number (`look`) it belongs to.
    """
    message: dict[str, Any] = {
        "plotly": PATH,
        "version": data.version,
        "figure": data.figure,
        "rows": data.rows.tolist(),
        "partly": data.sampled,
        "look": data.viewport,
    }
    _COMPONENT(key=key, data=message, on_selection_change=lambda: None, on_seen_change=on_move)
