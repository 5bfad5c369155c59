"""The map as a Plotly figure: points in their clusters' colours, density beneath, names at the medoids."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.atlas.colours import PALETTE, point_colours
from core.atlas.level_of_detail import Box, Detail

POINT_PX, NAMES_SHOWN, LIT_COLOUR = 6, 24, "#e0a100"
NAME_WIDTH, NAME_HEIGHT = 0.13, 0.05  # of the map, in which one name keeps others away
MARGIN = 0.06, 0.05  # of the map, around it: names stand out a little
SHADE_GREY, SHADE_ALPHA = 128, 0.55
# A scale of steps: one colour for each number of the palette.
SCALE = [[edge / len(PALETTE), colour] for place, colour in enumerate(PALETTE) for edge in (place, place + 1)]

Figure = dict[str, Any]


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


def figure(drawn: Drawn, detail: Detail, view: Box) -> Figure:
    """What Plotly draws: its `data` and `layout`. One trace of the detail's points, so that colours are numbers and
    little has to be sent; `view` is the part that is looked at first."""
    x0, y0, x1, y1 = view
    pad_x, pad_y = MARGIN[0] * (x1 - x0), MARGIN[1] * (y1 - y0)
    return {
        "data": [_points(drawn, detail.rows), _rings(drawn)],
        "layout": {
            "annotations": _names(drawn, view),
            "images": [_shade(detail)] if detail.thinned else [],
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "dragmode": "lasso",
            "clickmode": "event+select",
            "hovermode": "closest",
            "xaxis": {"visible": False, "range": [x0 - pad_x, x1 + pad_x]},
            "yaxis": {"visible": False, "range": [y0 - pad_y, y1 + pad_y]},
        },
    }


def packed(values: NDArray[Any]) -> dict[str, str]:
    """An array as Plotly reads it from JSON: its type and its bytes."""
    data = np.ascontiguousarray(values)
    return {"dtype": data.dtype.str[1:], "bdata": base64.b64encode(data.tobytes()).decode()}


def escaped(text: str) -> str:
    """Text from outside for Plotly, which reads some HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _points(drawn: Drawn, rows: NDArray[np.int32]) -> Figure:
    found, which = np.unique(drawn.labels[rows], return_inverse=True)
    named = [f"<br>{escaped(drawn.names[label])}" if label >= 0 else "" for label in found.tolist()]
    titles = drawn.titles
    texts = [escaped(titles[row][:60]) + named[i] for row, i in zip(rows.tolist(), which.tolist(), strict=True)]
    return {
        "type": "scattergl",
        "mode": "markers",
        "x": packed(drawn.coordinates[rows, 0]),
        "y": packed(drawn.coordinates[rows, 1]),
        "marker": {
            "size": POINT_PX,
            "color": packed(point_colours(drawn.labels, drawn.colours)[rows]),
            "colorscale": SCALE,
            "cmin": -0.5,
            "cmax": len(PALETTE) - 0.5,
            "line": {"width": 0},
        },
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def _rings(drawn: Drawn) -> Figure:
    """Rings around the matches of a query."""
    return {
        "type": "scattergl",
        "mode": "markers",
        "x": packed(drawn.coordinates[drawn.lit, 0]),
        "y": packed(drawn.coordinates[drawn.lit, 1]),
        "marker": {"size": 14, "color": "rgba(0,0,0,0)", "line": {"width": 2.5, "color": LIT_COLOUR}},
        "hoverinfo": "skip",
        "showlegend": False,
        "visible": bool(len(drawn.lit)),
    }


def _names(drawn: Drawn, view: Box) -> list[Figure]:
    """The names of the largest clusters whose medoids are in view, as far as they do not cover each other."""
    return [
        {
            "text": f"<b>{escaped(drawn.names[number][:24])}</b>",
            "x": float(drawn.coordinates[drawn.medoids[number], 0]),
            "y": float(drawn.coordinates[drawn.medoids[number], 1]),
            "yanchor": "bottom",
            "yshift": POINT_PX,
            "showarrow": False,
            "borderpad": 1,
            "font": {"size": 12},
        }
        for number in told_apart(drawn, view)
    ]


def _shade(detail: Detail) -> Figure:
    """The density of all points, the drawn ones included, as a picture beneath them."""
    logarithms = np.log1p(detail.density[::-1].astype(np.float32))
    alpha = (255 * SHADE_ALPHA / max(1.0, float(logarithms.max())) * logarithms).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(np.dstack([np.full_like(alpha, SHADE_GREY), alpha]), "LA").save(data, "PNG")
    x0, y0, x1, y1 = detail.extent
    return {
        "source": f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}",
        "xref": "x",
        "yref": "y",
        "x": x0,
        "y": y1,
        "sizex": x1 - x0,
        "sizey": y1 - y0,
        "sizing": "stretch",
        "layer": "below",
    }


def told_apart(drawn: Drawn, view: Box) -> list[int]:
    """The numbers of the clusters that are named, the largest first."""
    x0, y0, x1, y1 = view
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
