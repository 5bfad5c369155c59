"""The cells of a table's row as a Description; a listener learns of those that are not understood."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.ingest.metadata.cleaning import MAX_TITLE_LENGTH, clean, clean_description, clean_keywords
from core.ingest.metadata.coordinates import altitude_metres
from core.ingest.metadata.exif import camera_name
from core.ingest.metadata.hierarchies import SEPARATOR, clean_hierarchies, leaf, split_hierarchies
from core.ingest.metadata.table_headings import Column
from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place
from core.records.written_dates import read_written_date, says_no_date

# The texts of each column that a row fills, the heading that counts first before the others; of a list, its items.
Cells = Mapping[Column, Sequence[str]]


@dataclass(frozen=True)
class CellNote:
    """A cell that was not understood; or, with `read_as`, a date that could be meant otherwise."""

    column: Column
    text: str
    read_as: CreatedTime | None = None


OnNote = Callable[[CellNote], None]
_MAX_NUMBER_LENGTH = 60
_NUMBER = r"[+-]?\d+(?:[.,]\d+)?"
_DEGREES = re.compile(
    rf"(?P<degrees>{_NUMBER})\s*(?:°|deg)?\s*(?:(?P<minutes>{_NUMBER})\s*['′’]\s*)?"
    rf"(?:(?P<seconds>{_NUMBER})\s*(?:[\"″”]|'')\s*)?(?:(?P<hemisphere>[NSEW])(?:orth|outh|ast|est)?)?",
    re.IGNORECASE,
)
_ALTITUDE = re.compile(rf"({_NUMBER})\s*(?:m|metres?|meters?)?\s*((?:above|below) sea level)?", re.IGNORECASE)
# The highest number of degrees, and the hemispheres that may follow them; `O` is east to some, west to others.
_COORDINATES: dict[Column, tuple[int, tuple[str, ...]]] = {
    "latitude": (90, ("", "N", "S")),
    "longitude": (180, ("", "E", "W")),
}
_LISTS: tuple[Column, ...] = ("keywords", "hierarchies", "hierarchies_with_slashes", "people")
_PLACE_NAMES: tuple[Column, ...] = ("sublocation", "city", "state", "country")
_REJECTED = ("rejected", "-1", "-1.0")


def cell_texts(column: Column, value: Any) -> list[str]:
    """The texts of a cell: those of a list as items where the column holds a list, else joined.

    Raises ValueError, saying what `value` is, if it is no text, number or list of those.
    """
    if isinstance(value, list):
        texts = [_scalar(part) for part in value]
        texts = texts if column in _LISTS else [(", " if column == "author" else " ").join(filter(None, texts))]
    else:
        text = _scalar(value)
        texts = _split(text) if column in _LISTS else [text]
    return [text for text in texts if text.strip()]


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        raise ValueError("an object" if isinstance(value, dict) else "a list within a list")  # noqa: TRY004
    if isinstance(value, bool):
        return str(value).lower()  # exiftool writes the text `True` so
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _split(text: str) -> list[str]:
    """The items of a list written as text: with semicolons, else with commas."""
    return re.split(r"[;\n]" if ";" in text else r"[,\n]", text)


def description_of(cells: Cells, day_first: bool | None, on_note: OnNote) -> Description:
    """What a row says of its picture. `day_first`: how `09/03/1998` is meant, None if nothing tells."""
    flat, hierarchies = _keywords(cells)
    return Description(
        title=_first(cells, "title"),
        headline=_first(cells, "headline"),
        description=_description(cells),
        keywords=flat,
        hierarchies=hierarchies,
        people=clean_keywords(name for name in cells.get("people", ()) if name.strip() != "_UNKNOWN_"),
        author=_first(cells, "author"),
        credit=_first(cells, "credit"),
        licence=_first(cells, "licence"),
        usage_terms=_first(cells, "usage_terms"),
        created=_created(cells, day_first, on_note),
        place=_place(cells, on_note),
        rating=_rating(cells, on_note),
        label=_first(cells, "label"),
        camera=camera_name(_first(cells, "make"), _first(cells, "camera")),
        lens=_first(cells, "lens"),
    )


def _first(cells: Cells, column: Column) -> str:
    texts = cells.get(column)
    return clean(texts[0], MAX_TITLE_LENGTH) if texts else ""


def _keywords(cells: Cells) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Flat keywords and hierarchies; `Animals|Dog` among the keywords is a hierarchy and the keyword `Dog`."""
    items = cells.get("keywords", ())
    paths = [item for item in items if SEPARATOR in item]
    paths += cells.get("hierarchies", ())
    paths += split_hierarchies(cells.get("hierarchies_with_slashes", ()), "/")
    return clean_keywords(map(leaf, items)), clean_hierarchies(paths)


def _description(cells: Cells) -> str:
    """What a person wrote: exiftool also copies what cameras write in its place."""
    texts = cells.get("description", ())
    return next(filter(None, map(clean_description if "source_file" in cells else clean, texts)), "")


def _created(cells: Cells, day_first: bool | None, on_note: OnNote) -> CreatedTime | None:
    """The first date that is understood, with the time and offset that have columns of their own."""
    texts = [text for text in cells.get("created", ()) if not says_no_date(text)]
    time, offset = _first(cells, "time"), _first(cells, "offset")
    for text in texts:
        for candidate in (f"{text} {time}{offset}", f"{text} {time}", f"{text}{offset}", text):
            written = read_written_date(candidate, day_first)
            if written.ambiguous:
                on_note(CellNote("created", text, written.created))
            if written.created is not None:
                return written.created
    if texts:
        on_note(CellNote("created", texts[0]))
    return None


def _place(cells: Cells, on_note: OnNote) -> Place:
    latitude = _coordinate(cells, "latitude", "latitude_ref", on_note)
    longitude = _coordinate(cells, "longitude", "longitude_ref", on_note)
    if latitude is None and longitude is None and "position" in cells:
        latitude, longitude = _position(cells["position"][0], on_note)
    for column in _COORDINATES:
        if column not in cells and (latitude, longitude) != (None, None) and None in (latitude, longitude):
            on_note(CellNote(column, ""))
    if latitude is None or longitude is None or latitude == longitude == 0:
        latitude = longitude = None  # 0, 0 is what receivers write that found no satellite
    sublocation, city, state, country = (_first(cells, name) for name in _PLACE_NAMES)
    return Place(sublocation, city, state, country, latitude, longitude, _altitude(cells, on_note))


def _position(text: str, on_note: OnNote) -> tuple[float | None, float | None]:
    """Latitude and longitude in one cell, `38.7, -9.1`; with a blank where the decimals have commas themselves."""
    parts = re.split(r";" if ";" in text else r",\s" if re.search(r",\s", text) else r",", text)
    pair = (_degrees("latitude", parts[0]), _degrees("longitude", parts[1])) if len(parts) == 2 else (None, None)
    if None in pair:
        on_note(CellNote("position", text))
        return None, None
    return pair


def _coordinate(cells: Cells, column: Column, ref: Column, on_note: OnNote) -> float | None:
    for text in cells.get(column, ())[:1]:
        degrees = _degrees(column, text)
        if degrees is None:
            on_note(CellNote(column, text))
        elif _first(cells, ref)[:1].upper() in ("S", "W"):
            return -abs(degrees)
        return degrees
    return None


def _degrees(column: Column, text: str) -> float | None:
    """`38.708`, `38,708`, `-9.13`, `38 deg 42' 30.00" N`; south and west are negative. None if out of range."""
    match = _DEGREES.fullmatch(text.strip()) if len(text) <= _MAX_NUMBER_LENGTH else None
    limit, hemispheres = _COORDINATES[column]
    hemisphere = (match["hemisphere"] or "").upper() if match else ""
    if match is None or hemisphere not in hemispheres:
        return None
    degrees, minutes, seconds = (_number(match[part] or "0") for part in ("degrees", "minutes", "seconds"))
    value = abs(degrees) + minutes / 60 + seconds / 3600
    signed = -value if match["degrees"].startswith("-") or hemisphere in ("S", "W") else value
    return signed if value <= limit else None


def _altitude(cells: Cells, on_note: OnNote) -> float | None:
    for text in cells.get("altitude", ())[:1]:
        match = _ALTITUDE.fullmatch(text.strip()) if len(text) <= _MAX_NUMBER_LENGTH else None
        is_below = match is not None and (match[2] or "").lower().startswith("below")
        metres = altitude_metres(_number(match[1]), is_below) if match else None
        if metres is None:
            on_note(CellNote("altitude", text))
        return metres
    return None


def _rating(cells: Cells, on_note: OnNote) -> int | None:
    """-1 to 5, written as a number or as stars."""
    for text in cells.get("rating", ())[:1]:
        if text.strip().lower() in _REJECTED:
            return -1
        if re.fullmatch(r"[★⭐*]{1,5}[☆]{0,5}", text.strip()):
            return len(text.strip().rstrip("☆"))
        if re.fullmatch(r"[0-5](?:[.,]0+)?", text.strip()):
            return int(text.strip()[0])
        on_note(CellNote("rating", text))
    return None


def _number(text: str) -> float:
    return float(text.replace(",", "."))
