"""The map on the page: a component that keeps Plotly's drawing where it is while colours change."""

from __future__ import annotations

from collections.abc import Callable
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
    isolate_styles=False,  # Plotly's own styles stand in the document
)


def map_board(
    key: str,
    version: str,
    figure: Figure,
    rows: NDArray[np.int32],
    partly: bool,
    look: int,
    on_select: Callable[[], None],
    on_see: Callable[[], None],
) -> None:
    """Draw `figure`, whose points are `rows` (k,); `look` is another number to show another part than before.

    Its state has `selection` (`version`, `rows`, `box`, `lasso`; None where nothing is selected) and, where a map is
    drawn only `partly`, `seen`: `look` and the `box` that a person has moved to.
    """
    data: dict[str, Any] = {
        "plotly": PATH,
        "version": version,
        "figure": figure,
        "rows": rows.tolist(),
        "partly": partly,
        "look": look,
    }
    _COMPONENT(key=key, data=data, on_selection_change=on_select, on_seen_change=on_see)
