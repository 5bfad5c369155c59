"""The list of pictures that goes with an export: a CSV file with a row per picture, and no formulas."""

from __future__ import annotations

import csv
import io

from core.records.assets import Asset
from core.records.exports import ExportedPicture
from core.text import escape_formula

NAME = "manifest.csv"
_COLUMNS = (
    *("id", "file", "outcome", "note", "title", "headline", "description", "keywords", "people", "cluster"),
    *("author", "credit", "licence", "usage_terms", "created", "place"),
)
_COORDINATES = ("latitude", "longitude")


class Manifest:
    """Collects rows; `content` is the file. With `location` it has coordinates."""

    def __init__(self, location: bool) -> None:
        self._location, self._text = location, io.StringIO()
        self._writer = csv.writer(self._text)
        self._writer.writerow([*_COLUMNS, *(_COORDINATES if location else ())])

    def add(self, asset: Asset, cluster: str, picture: ExportedPicture) -> None:
        about = asset.about
        row = [
            *(asset.id, picture.file, picture.outcome, picture.reason),
            *(asset.title, about.headline, about.description, "; ".join(about.keywords), "; ".join(about.people)),
            *(cluster, about.author, about.credit, about.licence, about.usage_terms),
            *(str(about.created or ""), about.place.name),
        ]
        numbers = [_number(about.place.latitude), _number(about.place.longitude)] if self._location else []
        self._writer.writerow([*map(escape_formula, row), *numbers])

    @property
    def content(self) -> bytes:
        """UTF-8 with a byte order mark, which spreadsheets need."""
        return b"\xef\xbb\xbf" + self._text.getvalue().encode("utf-8", "replace")


def _number(degrees: float | None) -> str:
    return "" if degrees is None else f"{degrees:.6f}"
