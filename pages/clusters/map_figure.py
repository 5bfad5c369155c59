"""The map as a Plotly figure: points in their clusters' colours, density beneath, names at the medoids."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.atlas.colours import PALETTE, point_colours
from core.atlas.level_of_detail import Box, MapSample

POINT_PX, MAX_LABELS, HIGHLIGHT_COLOUR = 6, 24, "#e0a100"
LABEL_WIDTH, LABEL_HEIGHT = 0.13, 0.05  # of the map: how close two labels may come
MARGIN = 0.06, 0.05  # of the map, around it: labels stick out a little
SHADE_GREY, SHADE_ALPHA = 128, 0.55
# A stepped scale: one colour for each index of the palette.
COLOUR_SCALE = [[edge / len(PALETTE), colour] for index, colour in enumerate(PALETTE) for edge in (index, index + 1)]

Figure = dict[str, Any]


@dataclass(frozen=True, eq=False)
class MapScene:
    """What the map shows.

    `coordinates` (n, 2), `labels` (n,) and `titles` are of all pictures, `names`, `colours` (k,) as indices of the
    palette and `medoids` (k,) as rows are of the clusters; `highlighted` are the rows that match a query.
    """

    coordinates: NDArray[np.float32]
    labels: NDArray[np.int32]
    colours: NDArray[np.uint8]
    titles: Sequence[str]
    names: Sequence[str]
    medoids: NDArray[np.int64]
    highlighted: NDArray[np.int64]


def map_figure(scene: MapScene, sample: MapSample, visible: Box) -> Figure:
    """Plotly's `data` and `layout`; `visible` is the part that is shown first.

    The sampled points are a single trace, so that colours are numbers and little has to be sent.
    """
    x0, y0, x1, y1 = visible
    pad_x, pad_y = MARGIN[0] * (x1 - x0), MARGIN[1] * (y1 - y0)
    return {
        "data": [_points(scene, sample.rows), _rings(scene)],
        "layout": {
            "annotations": _labels(scene, visible),
            "images": [_density_image(sample)] if sample.is_thinned else [],
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "dragmode": "lasso",
            "clickmode": "event+select",
            "hovermode": "closest",
            "xaxis": {"visible": False, "range": [x0 - pad_x, x1 + pad_x]},
            "yaxis": {"visible": False, "range": [y0 - pad_y, y1 + pad_y]},
        },
    }


def packed_array(values: NDArray[Any]) -> dict[str, str]:
    """An array in Plotly's JSON encoding: its dtype and its bytes."""
    data = np.ascontiguousarray(values)
    return {"dtype": data.dtype.str[1:], "bdata": base64.b64encode(data.tobytes()).decode()}


def _points(scene: MapScene, rows: NDArray[np.int32]) -> Figure:
    found, inverse = np.unique(scene.labels[rows], return_inverse=True)
    names = [f"<br>{html.escape(scene.names[label], quote=False)}" if label >= 0 else "" for label in found.tolist()]
    titles = [html.escape(scene.titles[row][:60], quote=False) for row in rows.tolist()]
    texts = [title + names[i] for title, i in zip(titles, inverse.tolist(), strict=True)]
    return {
        "type": "scattergl",
        "mode": "markers",
        "x": packed_array(scene.coordinates[rows, 0]),
        "y": packed_array(scene.coordinates[rows, 1]),
        "marker": {
            "size": POINT_PX,
            "color": packed_array(point_colours(scene.labels, scene.colours)[rows]),
            "colorscale": COLOUR_SCALE,
            "cmin": -0.5,
            "cmax": len(PALETTE) - 0.5,
            "line": {"width": 0},
        },
        "text": texts,
        "hovertemplate": "%{text}<extra></extra>",
        "showlegend": False,
    }


def _rings(scene: MapScene) -> Figure:
    """Rings around the matches of a query."""
    return {
        "type": "scattergl",
        "mode": "markers",
        "x": packed_array(scene.coordinates[scene.highlighted, 0]),
        "y": packed_array(scene.coordinates[scene.highlighted, 1]),
        "marker": {"size": 14, "color": "rgba(0,0,0,0)", "line": {"width": 2.5, "color": HIGHLIGHT_COLOUR}},
        "hoverinfo": "skip",
        "showlegend": False,
        "visible": bool(len(scene.highlighted)),
    }


def _labels(scene: MapScene, visible: Box) -> list[Figure]:
    """The names of the largest clusters whose medoids are visible, as far as they do not overlap."""
    return [
        {
            "text": f"<b>{html.escape(scene.names[number][:24], quote=False)}</b>",
            "x": float(scene.coordinates[scene.medoids[number], 0]),
            "y": float(scene.coordinates[scene.medoids[number], 1]),
            "yanchor": "bottom",
            "yshift": POINT_PX,
            "showarrow": False,
            "borderpad": 1,
            "font": {"size": 12},
        }
        for number in labelled_clusters(scene, visible)
    ]


def _density_image(sample: MapSample) -> Figure:
    """The density of all points, drawn or not, as an image beneath them."""
    logarithms = np.log1p(sample.density[::-1].astype(np.float32))
    alpha = (255 * SHADE_ALPHA / max(1.0, float(logarithms.max())) * logarithms).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(np.dstack([np.full_like(alpha, SHADE_GREY), alpha]), "LA").save(data, "PNG")
    x0, y0, x1, y1 = sample.extent
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


def labelled_clusters(scene: MapScene, visible: Box) -> list[int]:
    """The numbers of the clusters that get a label, the largest first."""
    x0, y0, x1, y1 = visible
    near = np.array([LABEL_WIDTH * (x1 - x0), LABEL_HEIGHT * (y1 - y0)])
    chosen: list[int] = []
    positions = np.empty((0, 2), np.float32)
    for number, row in enumerate(scene.medoids.tolist()):
        at = scene.coordinates[row]
        if row < 0 or not scene.names[number] or not (x0 <= at[0] <= x1 and y0 <= at[1] <= y1):
            continue
        if (np.abs(positions - at) < near).all(axis=1).any():
            continue
        chosen.append(number)
        positions = np.vstack([positions, at])
        if len(chosen) == MAX_LABELS:
            break
    return chosen
