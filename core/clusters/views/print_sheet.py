"""A cluster as a printable contact sheet: one self-contained HTML file with its pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from core.records.assets import Hit

MAX_PRINTED = 400
_STYLE = (
    "@page { margin: 12mm } body { font: 9pt sans-serif; margin: 0 } h1 { font-size: 15pt; margin: 0 0 2mm } "
    "p { margin: 0 0 5mm; color: #555 } .sheet { display: grid; grid-template-columns: repeat(5, 1fr); gap: 4mm } "
    "figure { margin: 0; break-inside: avoid } figcaption { overflow-wrap: anywhere; padding-top: 1mm } "
    "img { width: 100%; height: 30mm; object-fit: contain; background: #f2f2f0 }"
)


def render_print_sheet(title: str, subtitle: str, hits: Sequence[Hit]) -> bytes:
    """The page as UTF-8 HTML with at most 400 pictures, in the given order. All texts are escaped."""
    name, about = escape(title), escape(subtitle)
    figures = "".join(_figure(number, hit) for number, hit in enumerate(hits[:MAX_PRINTED], 1))
    truncated = f" The first {MAX_PRINTED} are shown." if len(hits) > MAX_PRINTED else ""
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style></head>'
        f'<body><h1>{name}</h1><p>{about}{truncated}</p><div class="sheet">{figures}</div></body></html>'
    ).encode("utf-8", "replace")


def _figure(number: int, hit: Hit) -> str:
    about = hit.asset.about
    credit = " · ".join(filter(None, [about.author, about.licence]))
    caption = f"{number} {escape(hit.asset.title)}" + (f"<br>{escape(credit)}" if credit else "")
    data = base64.b64encode(hit.thumbnail).decode()
    return f'<figure><img alt="" src="data:image/jpeg;base64,{data}"><figcaption>{caption}</figcaption></figure>'
