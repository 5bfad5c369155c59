"""What the tables of an Unsplash dataset say: photos, their keywords and colours, and which searches led to a download.

Columns as https://github.com/unsplash/datasets (DOCS.md) gives them. Since 2023 the files are called `photos.csv000`
and so on, with tabs inside all the same. Memory grows with the photos that are wanted, never with the other tables.
"""

from __future__ import annotations

import heapq
import math
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from core.errors import ContactSheetError
from core.ingest.metadata.cleaning import KEYWORD_LENGTH, TITLE_LENGTH, clean, clean_keywords, parse_date
from core.ingest.sources.sharded_tables import TableReading, rows, shards
from core.records.assets import Description

PAGE = "https://unsplash.com/photos/"
LICENCE = "Unsplash Dataset Terms (https://unsplash.com/data-terms), Unsplash License (https://unsplash.com/license)"
KEYWORDS, COLOURS, COLLECTIONS = 20, 5, 5
HUMAN = 1000.0  # above every confidence (0 to 100): what a person said comes first
_PHOTO_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEX = re.compile(r"#?[0-9A-Fa-f]{6}")
_PHOTO_COLUMNS = (
    "photo_submitted_at",
    "photo_description",
    "ai_description",
    "photographer_username",
    "photographer_first_name",
    "photographer_last_name",
    "photo_location_name",
    "photo_location_city",
    "photo_location_country",
)


@dataclass(frozen=True, slots=True)
class Photo:
    """A row of the photos table: where its picture is, and what is said of it there."""

    id: str
    image_url: str
    about: Description
    places: tuple[str, ...] = ()

    @property
    def uri(self) -> str:
        """The photo's page: the place by which an asset of this dataset is known."""
        return PAGE + self.id

    def sized(self, width: int) -> str:
        """The address of its picture at a width in pixels, as JPEG (imgix parameters, as Unsplash documents them)."""
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


def photo_of(uri: str) -> str | None:
    """The photo whose page `uri` is; None if it is none of this dataset."""
    photo_id = uri.removeprefix(PAGE)
    return photo_id if photo_id != uri and _PHOTO_ID.fullmatch(photo_id) else None


def photos(place: Path, reading: TableReading) -> Iterator[Photo]:
    """The photos of a dataset, each once, in the order of the table. Raises ContactSheetError if there is no table."""
    if not shards(place, "photos"):
        raise ContactSheetError(f"{place} holds no table photos.tsv000 or photos.csv000: is it an Unsplash dataset?")
    known: set[str] = set()
    for line, (photo_id, url, *rest) in rows(place, "photos", ("photo_id", "photo_image_url"), _PHOTO_COLUMNS, reading):
        if not _PHOTO_ID.fullmatch(photo_id):
            reading.note(line, f"{photo_id[:80]!r} is no photo's id")
        elif not _is_address(url):
            reading.note(line, f"photo {photo_id} has no address of a picture")
        elif photo_id not in known:
            known.add(photo_id)
            yield _photo(photo_id, url, *rest)


def best_keywords(
    place: Path, wanted: Mapping[str, object], reading: TableReading, most: int = KEYWORDS
) -> dict[str, tuple[str, ...]]:
    """The keywords of the wanted photos, at most so many each: those of people first, then the most certain ones."""
    columns = ("ai_service_1_confidence", "ai_service_2_confidence", "suggested_by_user")
    best = _Best(most)
    for _, (photo_id, keyword, first, second, human) in rows(
        place, "keywords", ("photo_id", "keyword"), columns, reading
    ):
        if photo_id in wanted and keyword:
            by_person = human[:1].lower() in ("t", "1", "y")
            score = max(_number(first), _number(second)) + (HUMAN if by_person else 0.0)
            best.offer(photo_id, score, keyword[:KEYWORD_LENGTH])
    return {photo_id: clean_keywords(best.of(photo_id)) for photo_id in best.ids()}


def main_colours(
    place: Path, wanted: Mapping[str, object], reading: TableReading, most: int = COLOURS
) -> dict[str, tuple[str, ...]]:
    """The colours of the wanted photos by coverage, as `name #hex`, at most so many each."""
    columns = ("hex", "keyword", "ai_coverage", "coverage")
    best = _Best(most)
    for line, (photo_id, hex_code, name, coverage, share) in rows(place, "colors", ("photo_id",), columns, reading):
        if photo_id not in wanted:
            continue
        if _HEX.fullmatch(hex_code):
            text = f"{clean(name, KEYWORD_LENGTH).lower()} #{hex_code.removeprefix('#').upper()}".strip()
            best.offer(photo_id, _number(coverage or share), text)
        else:
            reading.note(line, f"{hex_code[:40]!r} is no colour")
    return {photo_id: best.of(photo_id) for photo_id in best.ids()}


def collection_titles(
    place: Path, wanted: Mapping[str, object], reading: TableReading, most: int = COLLECTIONS
) -> dict[str, tuple[str, ...]]:
    """The titles of the collections that people have put the wanted photos into, the first so many of the table."""
    best = _Best(most)
    found = rows(place, "collections", ("photo_id", "collection_title"), (), reading)
    for number, (_, (photo_id, title)) in enumerate(found):
        if photo_id in wanted and title:
            best.offer(photo_id, -number, title[:KEYWORD_LENGTH])
    return {photo_id: clean_keywords(best.of(photo_id)) for photo_id in best.ids()}


def conversions(place: Path, reading: TableReading | None = None) -> Iterator[Conversion]:
    """Which searches led to which downloads, one by one: there are millions. None where the dataset has no such table.

    `place` is the dataset's folder or ZIP. Raises ContactSheetError if it cannot be read.
    """
    optional = ("anonymous_user_id", "conversion_type")
    found = rows(place, "conversions", ("keyword", "photo_id"), optional, reading or TableReading())
    for _, (keyword, photo_id, user, kind) in found:
        if keyword and photo_id:
            yield Conversion(keyword, photo_id, user, kind)


def described(
    photo: Photo, keywords: tuple[str, ...], colours: tuple[str, ...], collections: tuple[str, ...] = ()
) -> Description:
    """All that is said of a photo. Place, colours and collections are in the description, and among the keywords to
    filter by."""
    names = [colour.partition(" #")[0] for colour in colours]
    parts = [
        photo.about.description,
        f"Location: {', '.join(photo.places)}" if photo.places else "",
        f"Colours: {', '.join(colours)}" if colours else "",
        f"Collections: {', '.join(collections)}" if collections else "",
    ]
    return replace(
        photo.about,
        description=clean(" · ".join(part for part in parts if part)),
        keywords=clean_keywords([*keywords, *photo.places, *names, *collections]),
    )


def _photo(
    photo_id: str,
    url: str,
    submitted: str,
    words: str,
    ai_words: str,
    username: str,
    first: str,
    last: str,
    location: str,
    city: str,
    country: str,
) -> Photo:
    about = Description(
        title=clean(ai_words or words, TITLE_LENGTH),
        description=clean(words or ai_words),
        author=clean(f"{first} {last}", TITLE_LENGTH) or clean(username, TITLE_LENGTH),
        licence=LICENCE,
        created_at=parse_date(submitted),
    )
    return Photo(photo_id, url, about, clean_keywords([*location.split(","), city, country]))


def _is_address(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
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


class _Best:
    """The most highly scored texts by photo, at most `most` each, whatever the order in which they are offered."""

    def __init__(self, most: int) -> None:
        self._most, self._heaps = most, dict[str, list[tuple[float, str]]]()

    def offer(self, photo_id: str, score: float, text: str) -> None:
        heap = self._heaps.setdefault(photo_id, [])
        if len(heap) < self._most:
            heapq.heappush(heap, (score, sys.intern(text)))  # the same words come again and again
        elif (score, text) > heap[0]:
            heapq.heapreplace(heap, (score, sys.intern(text)))

    def ids(self) -> list[str]:
        return list(self._heaps)

    def of(self, photo_id: str) -> tuple[str, ...]:
        return tuple(text for _, text in sorted(self._heaps[photo_id], key=lambda entry: (-entry[0], entry[1])))
