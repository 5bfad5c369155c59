"""A cluster as a contact sheet to print: one HTML file that holds its pictures and needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from core.records.assets import Hit

MOST_PRINTED = 400
_STYLE = (
    "@page { margin: 12mm } body { font: 9pt sans-serif; margin: 0 } h1 { font-size: 15pt; margin: 0 0 2mm } "
    "p { margin: 0 0 5mm; color: #555 } .sheet { display: grid; grid-template-columns: repeat(5, 1fr); gap: 4mm } "
    "figure { margin: 0; break-inside: avoid } figcaption { overflow-wrap: anywhere; padding-top: 1mm } "
    "img { width: 100%; height: 30mm; object-fit: contain; background: #f2f2f0 }"
)


def printed_sheet(title: str, line: str, hits: Sequence[Hit]) -> bytes:
    """The page as UTF-8; at most 400 pictures, in the order given. Texts from outside are escaped."""
    name, about = escape(title), escape(line)
    figures = "".join(_figure(number, hit) for number, hit in enumerate(hits[:MOST_PRINTED], 1))
    left_out = f" The first {MOST_PRINTED} are shown." if len(hits) > MOST_PRINTED else ""
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{name}</title><style>{_STYLE}</style></head>'
        f'<body><h1>{name}</h1><p>{about}{left_out}</p><div class="sheet">{figures}</div></body></html>'
    ).encode("utf-8", "replace")


def _figure(number: int, hit: Hit) -> str:
    about = hit.asset.about
    credit = " · ".join(filter(None, [about.author, about.licence]))
    told = f"{number} {escape(hit.asset.title)}" + (f"<br>{escape(credit)}" if credit else "")
    picture = base64.b64encode(hit.thumbnail).decode()
    return f'<figure><img alt="" src="data:image/jpeg;base64,{picture}"><figcaption>{told}</figcaption></figure>'
