"""EXIF: what the camera wrote, and Windows Explorer. CIPA DC-008 (Exif 2.32); texts are UTF-8, as the MWG advises."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from core.ingest.metadata.cleaning import (
    MAX_TEXT_LENGTH,
    MAX_TITLE_LENGTH,
    clean,
    clean_comment,
    clean_description,
    clean_keywords,
    decode_text,
)
from core.ingest.metadata.coordinates import altitude_metres, position
from core.ingest.metadata.dates import parse_date, with_offset
from core.ingest.metadata.exif_utf8 import EXIF_HEADER, with_ascii_texts
from core.ingest.metadata.png_text import raw_profile
from core.ingest.metadata.readings import Reading
from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place

_RATING, _RATING_PERCENT = 0x4746, 0x4749
_OFFSET_TIME, _OFFSET_TIME_ORIGINAL, _OFFSET_TIME_DIGITISED = 0x9010, 0x9011, 0x9012
_ENCODING_LENGTH = 8
_MAX_BYTES = 4 * MAX_TEXT_LENGTH


def read_exif(tags: ExifTags) -> Reading:
    """The fields of an EXIF block that the MWG names, and the camera."""
    return Reading(
        about=Description(
            description=clean_description(tags.text(Base.ImageDescription)),
            author=authors(tags.text(Base.Artist)),
            licence=clean(" ".join(tags.texts(Base.Copyright)), MAX_TITLE_LENGTH),
            place=_place(tags.directory(IFD.GPSInfo)),
            camera=camera_name(tags.text(Base.Make), tags.text(Base.Model)),
            lens=clean(tags.text(Base.LensModel), MAX_TITLE_LENGTH),
        ),
        original=tags.date(Base.DateTimeOriginal, _OFFSET_TIME_ORIGINAL),
        digitised=tags.date(Base.DateTimeDigitized, _OFFSET_TIME_DIGITISED),
        modified=tags.date(Base.DateTime, _OFFSET_TIME),
    )


def read_exif_extras(tags: ExifTags) -> Reading:
    """What the MWG's order knows nothing of: the fields of Windows Explorer, and a comment as a description."""
    comments = (
        _comment_text(tags.raw(Base.UserComment), tags.byte_order),
        *map(tags.windows_text, (Base.XPComment, Base.XPSubject)),
    )
    return Reading(
        Description(
            title=clean_description(tags.windows_text(Base.XPTitle), MAX_TITLE_LENGTH),
            description=next(filter(None, map(clean_comment, comments)), ""),
            keywords=clean_keywords(tags.windows_text(Base.XPKeywords).split(";")),
            author=authors(tags.windows_text(Base.XPAuthor)),
            rating=_rating(tags),
        )
    )


def authors(text: str) -> str:
    """`Ada; "Bell; sons"` as the MWG writes several creators in one text, joined by commas."""
    rows = csv.reader([clean(text)], delimiter=";", skipinitialspace=True)
    return clean(", ".join(filter(None, (name.strip() for row in rows for name in row))), MAX_TITLE_LENGTH)


def camera_name(make: str, model: str) -> str:
    """`Make Model`, the make once: `NIKON D90`, not `NIKON CORPORATION NIKON D90`."""
    make, model = clean(make, MAX_TITLE_LENGTH), clean(model, MAX_TITLE_LENGTH)
    brands = make.casefold().split()
    if not brands or not model:
        return make or model
    names_make = model.casefold().startswith(brands[0]) or model.casefold().split()[0] in brands
    return model if names_make else f"{make} {model}"


def _exif_of(image: Image.Image) -> Image.Exif:
    """What Pillow reads, and the blocks that it does not: ImageMagick's older profiles, the texts of Exif 3.0."""
    block = image.info.get("exif") or raw_profile(image.info, "APP1")
    is_exif = isinstance(block, bytes) and block.startswith((EXIF_HEADER, b"II", b"MM"))
    readable = with_ascii_texts(block) if is_exif else None
    if readable is None or readable is image.info.get("exif"):
        return image.getexif()
    exif = Image.Exif()
    exif.load(readable)
    return exif


class ExifTags:
    """Tags by number, wherever they stand, in the form that the standard gives them; a damaged one is missing."""

    def __init__(self, image: Image.Image) -> None:
        """Of `image` as opened, before conversion. Raises what Pillow meets in a damaged block."""
        self._exif = exif = _exif_of(image)
        self._detail = self.directory(IFD.Exif)
        self.byte_order = exif.endian or "<"

    def __bool__(self) -> bool:
        return bool(self._exif) or bool(self._detail)

    def directory(self, number: int) -> Mapping[int, Any]:
        try:
            return self._exif.get_ifd(number)
        except Exception:  # noqa: BLE001 - Pillow raises what it meets in a damaged directory: the others are still good
            return {}

    def raw(self, tag: int) -> Any:
        try:
            value = self._exif.get(tag)
        except Exception:  # noqa: BLE001
            value = None
        return self._detail.get(tag) if value is None else value

    def text(self, tag: int) -> str:
        return text_of(self.raw(tag))

    def texts(self, tag: int) -> list[str]:
        """Texts that NULs separate: a copyright has the photographer's and the editor's."""
        return [text for part in _bytes_of(self.raw(tag)).split(b"\0") if (text := decode_text(part).strip())]

    def windows_text(self, tag: int) -> str:
        value = self.raw(tag)
        raw = bytes(value) if isinstance(value, (bytes, bytearray, tuple, list)) else b""
        return raw[:_MAX_BYTES].decode("utf-16-le", "replace").split("\0", 1)[0]

    def date(self, tag: int, offset_tag: int) -> CreatedTime | None:
        return with_offset(parse_date(self.text(tag)), self.text(offset_tag))


def text_of(value: object) -> str:
    """A text up to its first NUL."""
    return decode_text(_bytes_of(value))


def _bytes_of(value: object) -> bytes:
    """The bytes of a text as the file has them: Pillow decodes ASCII fields as Latin-1, which keeps every byte."""
    if isinstance(value, str):
        return value[:_MAX_BYTES].encode("latin-1", "replace")
    return value[:_MAX_BYTES] if isinstance(value, bytes) else b""


def _comment_text(value: object, byte_order: str) -> str:
    if not isinstance(value, bytes):
        return text_of(value)
    code, text = value[:_ENCODING_LENGTH].rstrip(b"\0 "), value[_ENCODING_LENGTH:_MAX_BYTES]
    if code == b"UNICODE":
        return _utf16(text, byte_order)
    if code == b"JIS":
        return text.decode("iso2022_jp", "replace")
    return decode_text(text) if code in (b"ASCII", b"") else text_of(value)


def _utf16(raw: bytes, byte_order: str) -> str:
    """Some programs write the other byte order than the file has: that with fewer different high bytes is right."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    first, second = len(set(raw[::2])), len(set(raw[1::2]))
    is_big = byte_order == ">" if first == second else first < second
    return raw.decode("utf-16-be" if is_big else "utf-16-le", "replace").split("\0", 1)[0]


def _place(gps: Mapping[int, Any]) -> Place:
    degrees = position(
        _degrees(gps.get(GPS.GPSLatitude)),
        text_of(gps.get(GPS.GPSLatitudeRef)),
        _degrees(gps.get(GPS.GPSLongitude)),
        text_of(gps.get(GPS.GPSLongitudeRef)),
    )
    if degrees is None:
        return Place()
    reference = gps.get(GPS.GPSAltitudeRef)
    is_below = reference in (1, b"\x01", "1", "\x01")
    return Place(
        latitude=degrees[0],
        longitude=degrees[1],
        altitude=altitude_metres(number(gps.get(GPS.GPSAltitude)), is_below),
    )


def _degrees(value: object) -> float | None:
    parts = value if isinstance(value, (tuple, list)) else (value,)
    numbers = [number(part) for part in parts[:3]]
    if numbers[0] is None:
        return None
    return sum((part or 0) / 60.0**power for power, part in enumerate(numbers))


def number(value: Any) -> float | None:
    """A rational or number as a float; None for anything else, such as a fraction by zero."""
    try:
        result = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def _rating(tags: ExifTags) -> int | None:
    stars = number(tags.raw(_RATING))
    percent = number(tags.raw(_RATING_PERCENT))
    return rating_of(stars) if stars is not None else rating_of_percent(percent)


def rating_of(stars: float | None) -> int | None:
    """-1 (rejected) to 5; None for what is no rating."""
    return round(stars) if stars is not None and -1 <= stars <= 5 else None


def rating_of_percent(percent: float | None) -> int | None:
    """Windows' percentages, 1, 25, 50, 75 and 99, as 1 to 5 stars."""
    if percent is None or not 0 <= percent <= 100:
        return None
    return 0 if percent == 0 else 1 + round(percent / 25) if percent > 12 else 1
