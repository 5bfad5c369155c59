"""The texts of PNG files: keywords of the PNG specification, and the profiles that ImageMagick keeps in texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.ingest.metadata.cleaning import MAX_TITLE_LENGTH, clean, clean_description
from core.ingest.metadata.dates import parse_date
from core.ingest.metadata.readings import Reading
from core.records.descriptions import Description

_PROFILE_LINES = 3  # an empty one, the name, the length


def read_png_text(info: Mapping[Any, Any]) -> Reading:
    """Title, Author, Description, Copyright, Creation Time and Comment of a picture's `info`."""
    texts = {str(key).casefold(): value for key, value in info.items() if isinstance(value, str)}
    return Reading(
        about=Description(
            title=clean_description(texts.get("title"), MAX_TITLE_LENGTH),
            description=clean_description(texts.get("description")) or clean_description(texts.get("comment")),
            author=clean(texts.get("author"), MAX_TITLE_LENGTH),
            licence=clean(texts.get("copyright"), MAX_TITLE_LENGTH),
        ),
        digitised=parse_date(texts.get("creation time")) or parse_date(texts.get("create date")),
    )


def raw_profile(info: Mapping[Any, Any], *names: str) -> bytes:
    """The first profile of these names (`iptc`, `8bim`, `xmp`) in `Raw profile type …` texts; else empty."""
    for name in names:
        text = info.get(f"Raw profile type {name}")
        if isinstance(text, str):
            try:
                return bytes.fromhex("".join(text.split("\n")[_PROFILE_LINES:]))
            except ValueError:
                continue
    return b""
