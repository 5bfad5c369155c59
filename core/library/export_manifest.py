"""The list of pictures that goes with an export: a CSV file with a row per picture, and no formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from core.records.assets import Asset, file_name
from core.records.exports import ExportedPicture
from core.text import escape_formula

NAME = "manifest.csv"
_COLUMNS = (
    *("id", "file", "outcome", "note", "title", "headline", "description", "keywords", "people", "cluster"),
    *("author", "credit", "licence", "usage_terms", "created", "place"),
)
_OF_EXPORTS = ("outcome", "note", "cluster")
_COORDINATES = ("latitude", "longitude")


class Manifest:
    """Collects rows; `content` is the file. With `location` it has coordinates."""

    def __init__(self, location: bool) -> None:
        self._location, self._text = location, io.StringIO()
        self._writer = csv.writer(self._text)
        self._writer.writerow([*_COLUMNS, *(_COORDINATES if location else ())])

    def add(self, asset: Asset, cluster: str, picture: ExportedPicture) -> None:
        words, others = _words(asset), _rights_and_scene(asset)
        row = [asset.id, picture.file, picture.outcome, picture.reason, *words, cluster, *others]
        self._writer.writerow([*map(escape_formula, row), *_coordinates(asset, self._location)])

    @property
    def content(self) -> bytes:
        return _encoded(self._text)


def picture_table(assets: Iterable[Asset], location: bool) -> bytes:
    """What is known of pictures as a CSV file, without files: the columns of the list that concern the pictures."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([c for c in _COLUMNS if c not in _OF_EXPORTS] + [*(_COORDINATES if location else ())])
    for asset in assets:
        row = [asset.id, *map(file_name, asset.uris[:1] or ("",)), *_words(asset), *_rights_and_scene(asset)]
        writer.writerow([*map(escape_formula, row), *_coordinates(asset, location)])
    return _encoded(text)


def _words(asset: Asset) -> list[str]:
    about = asset.about
    return [asset.title, about.headline, about.description, "; ".join(about.keywords), "; ".join(about.people)]


def _rights_and_scene(asset: Asset) -> list[str]:
    about = asset.about
    return [about.author, about.credit, about.licence, about.usage_terms, str(about.created or ""), about.place.name]


def _coordinates(asset: Asset, location: bool) -> list[str]:
    place = asset.about.place
    return [_number(place.latitude), _number(place.longitude)] if location else []


def _encoded(text: io.StringIO) -> bytes:
    """UTF-8 with a byte order mark, which spreadsheets need."""
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "replace")


def _number(degrees: float | None) -> str:
    return "" if degrees is None else f"{degrees:.6f}"
