"""Reads the tables of an Unsplash dataset: photos, their keywords and colours, and which searches led to a download.

Columns as documented in https://github.com/unsplash/datasets (DOCS.md). Since 2023 the files are called `photos.csv000`
and so on, but still tab-separated. Memory grows with the number of selected photos, never with the other tables.
"""

from __future__ import annotations

import heapq
import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from core.errors import ContactSheetError
from core.ingest.metadata.cleaning import MAX_KEYWORD_LENGTH, MAX_TITLE_LENGTH, clean, clean_keywords
from core.ingest.metadata.dates import parse_date
from core.ingest.sources.sharded_tables import TableReading, find_shards, read_rows
from core.records.descriptions import Description

PAGE_URL = "https://unsplash.com/photos/"
LICENCE = "Unsplash Dataset Terms (https://unsplash.com/data-terms), Unsplash License (https://unsplash.com/license)"
MAX_KEYWORDS, MAX_COLOURS, MAX_COLLECTIONS = 20, 5, 5
HUMAN_SCORE = 1000.0  # above every confidence (0 to 100): keywords suggested by people come first
_PHOTO_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEX = re.compile(r"#?[0-9A-Fa-f]{6}")


class _PhotoRow(NamedTuple):
    """A row of the photos table; the names are those of its columns."""

    photo_id: str
    photo_image_url: str
    photo_submitted_at: str
    photo_description: str
    ai_description: str
    photographer_username: str
    photographer_first_name: str
    photographer_last_name: str
    photo_location_name: str
    photo_location_city: str
    photo_location_country: str


_REQUIRED_COLUMNS, _OPTIONAL_COLUMNS = _PhotoRow._fields[:2], _PhotoRow._fields[2:]


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo of the dataset: the URL of its picture and its description."""

    id: str
    image_url: str
    about: Description
    places: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        """The URL of the photo's page, which identifies an asset of this dataset."""
        return PAGE_URL + self.id

    def jpeg_url(self, width: int) -> str:
        """The URL of its picture as JPEG, `width` pixels wide (imgix parameters, as Unsplash documents them)."""
        parts = urlsplit(self.image_url)
        query = dict(parse_qsl(parts.query)) | {"w": str(width), "fm": "jpg", "q": "80"}
        return parts._replace(query=urlencode(query), fragment="").geturl()


@dataclass(frozen=True, slots=True)
class Conversion:
    """Someone searched for `keyword` and downloaded the photo; `user` is anonymous."""

    keyword: str
    photo_id: str
    user: str
    kind: str


def photo_id_of_uri(uri: str) -> str | None:
    """The id of the photo whose page `uri` is; None if it is no page of a photo."""
    photo_id = uri.removeprefix(PAGE_URL)
    return photo_id if photo_id != uri and _PHOTO_ID.fullmatch(photo_id) else None


def read_photos(dataset: Path, reading: TableReading) -> Iterator[Photo]:
    """The photos of a dataset, each once, in the order of the table. Raises ContactSheetError if there is no table."""
    if not find_shards(dataset, "photos"):
        raise ContactSheetError(f"{dataset} holds no table photos.tsv000 or photos.csv000: is it an Unsplash dataset?")
    seen: set[str] = set()
    for position, fields in read_rows(dataset, "photos", _REQUIRED_COLUMNS, _OPTIONAL_COLUMNS, reading):
        row = _PhotoRow(*fields)
        if not _PHOTO_ID.fullmatch(row.photo_id):
            reading.report(position, f"{row.photo_id[:80]!r} is not a photo id")
        elif not _is_url(row.photo_image_url):
            reading.report(position, f"photo {row.photo_id} has no address of a picture")
        elif row.photo_id not in seen:
            seen.add(row.photo_id)
            yield _photo(row)


def top_keywords(
    dataset: Path, selected: Mapping[str, object], reading: TableReading, limit: int = MAX_KEYWORDS
) -> dict[str, tuple[str, ...]]:
    """At most `limit` keywords for each selected photo: those suggested by people first, then by confidence."""
    optional = ("ai_service_1_confidence", "ai_service_2_confidence", "suggested_by_user")
    top = _TopTexts(limit)
    rows = read_rows(dataset, "keywords", ("photo_id", "keyword"), optional, reading)
    for _, (photo_id, keyword, confidence_1, confidence_2, by_user) in rows:
        if photo_id in selected and keyword:
            by_person = by_user[:1].lower() in ("t", "1", "y")
            score = max(_number(confidence_1), _number(confidence_2)) + (HUMAN_SCORE if by_person else 0.0)
            top.add(photo_id, score, keyword[:MAX_KEYWORD_LENGTH])
    return {photo_id: clean_keywords(texts) for photo_id, texts in top.by_photo()}


def top_colours(
    dataset: Path, selected: Mapping[str, object], reading: TableReading, limit: int = MAX_COLOURS
) -> dict[str, tuple[str, ...]]:
    """At most `limit` colours for each selected photo as `name #hex`, by coverage."""
    optional = ("hex", "keyword", "ai_coverage", "coverage")
    top = _TopTexts(limit)
    rows = read_rows(dataset, "colors", ("photo_id",), optional, reading)
    for position, (photo_id, hex_code, name, ai_coverage, coverage) in rows:
        if photo_id not in selected:
            continue
        if _HEX.fullmatch(hex_code):
            text = f"{clean(name, MAX_KEYWORD_LENGTH).lower()} #{hex_code.removeprefix('#').upper()}".strip()
            top.add(photo_id, _number(ai_coverage or coverage), text)
        else:
            reading.report(position, f"{hex_code[:40]!r} is not a colour")
    return dict(top.by_photo())


def collection_titles(
    dataset: Path, selected: Mapping[str, object], reading: TableReading, limit: int = MAX_COLLECTIONS
) -> dict[str, tuple[str, ...]]:
    """The titles of the collections that hold each selected photo, the first `limit` in the table."""
    top = _TopTexts(limit)
    rows = read_rows(dataset, "collections", ("photo_id", "collection_title"), (), reading)
    for number, (_, (photo_id, title)) in enumerate(rows):
        if photo_id in selected and title:
            top.add(photo_id, -number, title[:MAX_KEYWORD_LENGTH])
    return {photo_id: clean_keywords(titles) for photo_id, titles in top.by_photo()}


def read_conversions(dataset: Path, reading: TableReading | None = None) -> Iterator[Conversion]:
    """Which searches led to which downloads, one by one: there are millions. Empty if the dataset has no such table.

    `dataset` is a folder or a ZIP. Raises ContactSheetError if it cannot be read.
    """
    optional = ("anonymous_user_id", "conversion_type")
    rows = read_rows(dataset, "conversions", ("keyword", "photo_id"), optional, reading or TableReading())
    for _, (keyword, photo_id, user, kind) in rows:
        if keyword and photo_id:
            yield Conversion(keyword, photo_id, user, kind)


def full_description(
    photo: Photo, keywords: tuple[str, ...], colours: tuple[str, ...], collections: tuple[str, ...] = ()
) -> Description:
    """A photo's complete description; location, colours and collections are also keywords, to filter by."""
    colour_names = [colour.partition(" #")[0] for colour in colours]
    parts = [
        photo.about.description,
        f"Location: {', '.join(photo.places)}" if photo.places else "",
        f"Colours: {', '.join(colours)}" if colours else "",
        f"Collections: {', '.join(collections)}" if collections else "",
    ]
    return replace(
        photo.about,
        description=clean(" · ".join(part for part in parts if part)),
        keywords=clean_keywords([*keywords, *photo.places, *colour_names, *collections]),
    )


def _photo(row: _PhotoRow) -> Photo:
    description, ai_description = row.photo_description, row.ai_description
    name = clean(f"{row.photographer_first_name} {row.photographer_last_name}", MAX_TITLE_LENGTH)
    about = Description(
        title=clean(ai_description or description, MAX_TITLE_LENGTH),
        description=clean(description or ai_description),
        author=name or clean(row.photographer_username, MAX_TITLE_LENGTH),
        licence=LICENCE,
        created=parse_date(row.photo_submitted_at),
    )
    places = [*row.photo_location_name.split(","), row.photo_location_city, row.photo_location_country]
    return Photo(row.photo_id, row.photo_image_url, about, clean_keywords(places))


def _is_url(text: str) -> bool:
    try:
        return bool(urlsplit(text).hostname)
    except ValueError:
        return False


def _number(text: str) -> float:
    if not text:  # most are empty, and an exception takes ten times as long
        return 0.0
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


class _TopTexts:
    """The texts with the highest scores for each photo, at most `limit`, whatever the order they are added in."""

    def __init__(self, limit: int) -> None:
        self._limit, self._heaps = limit, dict[str, list[tuple[float, str]]]()

    def add(self, photo_id: str, score: float, text: str) -> None:
        heap = self._heaps.setdefault(photo_id, [])
        if len(heap) < self._limit:
            heapq.heappush(heap, (score, sys.intern(text)))  # the same words come again and again
        elif (score, text) > heap[0]:
            heapq.heapreplace(heap, (score, sys.intern(text)))

    def by_photo(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each photo's id and texts, the highest score first."""
        for photo_id, heap in self._heaps.items():
            yield photo_id, tuple(text for _, text in sorted(heap, key=lambda entry: (-entry[0], entry[1])))
