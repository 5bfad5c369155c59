"""The map as a Plotly figure: points in their clusters' colours, density beneath, names at the medoids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.atlas.colours import PALETTE, point_colours
from core.atlas.detail import Detail

HEIGHT_PX, POINT_PX, NAMES_SHOWN = 520, 6, 24
NAME_WIDTH, NAME_HEIGHT = 0.13, 0.05  # of the map, in which one name keeps others away
SHADE = ((0.0, "rgba(128,128,128,0)"), (1.0, "rgba(128,128,128,0.55)"))
# A scale of steps: one colour for each number of the palette.
SCALE = [(edge / len(PALETTE), colour) for place, colour in enumerate(PALETTE) for edge in (place, place + 1)]


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a map shows: coordinates (n, 2) and labels (n,) of all pictures, the clusters' names and colours (k,), which
    are numbers of the palette; the clusters' medoids (k,), and the rows that a query lights up."""

    coordinates: NDArray[np.float32]
    labels: NDArray[np.int32]
    colours: NDArray[np.uint8]
    titles: Sequence[str]
    names: Sequence[str]
    medoids: NDArray[np.int64]
    lit: NDArray[np.int64]


def figure(drawn: Drawn, detail: Detail) -> go.Figure:
    """Points of the detail only; one trace, so that colours are numbers and little has to be sent."""
    made = go.Figure()
    if detail.thinned:
        _shade(made, detail)
    rows = detail.rows
    labels = drawn.labels[rows]
    made.add_scattergl(
        x=drawn.coordinates[rows, 0], y=drawn.coordinates[rows, 1], mode="markers", name="", showlegend=False,
        marker={"size": POINT_PX, "color": point_colours(drawn.labels, drawn.colours)[rows], "colorscale": SCALE,
                "cmin": -0.5, "cmax": len(PALETTE) - 0.5, "line": {"width": 0}},
        text=[_hover(drawn, row, label) for row, label in zip(rows.tolist(), labels.tolist(), strict=True)],
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    _light_up(made, drawn)
    _name(made, drawn, detail)
    x0, y0, x1, y1 = detail.extent
    pad_x, pad_y = 0.06 * (x1 - x0), 0.05 * (y1 - y0)  # names stand out a little
    made.update_layout(
        height=HEIGHT_PX, margin={"l": 0, "r": 0, "t": 0, "b": 0}, dragmode="lasso", hovermode="closest",
        xaxis={"visible": False, "range": [x0 - pad_x, x1 + pad_x]},
        yaxis={"visible": False, "range": [y0 - pad_y, y1 + pad_y]},
        uirevision="map", selectionrevision="map",
    )  # fmt: skip
    return made


def _hover(drawn: Drawn, row: int, label: int) -> str:
    title = escaped(drawn.titles[row][:60])
    return f"{title}<br>{escaped(drawn.names[label])}" if label >= 0 else title


def escaped(text: str) -> str:
    """Text from outside for Plotly, which reads some HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _shade(made: go.Figure, detail: Detail) -> None:
    height, width = detail.density.shape
    x0, y0, x1, y1 = detail.extent
    made.add_heatmap(
        z=np.log1p(detail.density).astype(np.float32), x0=x0 + (x1 - x0) / width / 2, dx=(x1 - x0) / width,
        y0=y0 + (y1 - y0) / height / 2, dy=(y1 - y0) / height, colorscale=[list(step) for step in SHADE],
        showscale=False, hoverinfo="skip", zsmooth="best",
    )  # fmt: skip


def _light_up(made: go.Figure, drawn: Drawn) -> None:
    """Rings around the matches of a query."""
    if len(drawn.lit):
        made.add_scattergl(
            x=drawn.coordinates[drawn.lit, 0], y=drawn.coordinates[drawn.lit, 1], mode="markers", hoverinfo="skip",
            marker={"size": 14, "color": "rgba(0,0,0,0)", "line": {"width": 2.5, "color": "#e0a100"}}, showlegend=False,
        )  # fmt: skip


def _name(made: go.Figure, drawn: Drawn, detail: Detail) -> None:
    """The names of the largest clusters whose medoids are in view, as far as they do not cover each other."""
    numbers = told_apart(drawn, detail.extent)
    rows = drawn.medoids[numbers]
    made.add_scatter(
        x=drawn.coordinates[rows, 0], y=drawn.coordinates[rows, 1], mode="text", hoverinfo="skip", showlegend=False,
        text=[f"<b>{escaped(drawn.names[number][:24])}</b>" for number in numbers], textposition="top center",
        textfont={"size": 12},
    )  # fmt: skip


def told_apart(drawn: Drawn, extent: tuple[float, float, float, float]) -> list[int]:
    """The numbers of the clusters that are named, the largest first."""
    x0, y0, x1, y1 = extent
    near = np.array([NAME_WIDTH * (x1 - x0), NAME_HEIGHT * (y1 - y0)])
    chosen: list[int] = []
    taken = np.empty((0, 2), np.float32)
    for number, row in enumerate(drawn.medoids.tolist()):
        at = drawn.coordinates[row]
        if row < 0 or not drawn.names[number] or not (x0 <= at[0] <= x1 and y0 <= at[1] <= y1):
            continue
        if (np.abs(taken - at) < near).all(axis=1).any():
            continue
        chosen.append(number)
        taken = np.vstack([taken, at])
        if len(chosen) == NAMES_SHOWN:
            break
    return chosen
