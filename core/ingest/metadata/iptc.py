"""IPTC-IIM 4.2, the metadata of news agencies, in Photoshop's image resources (8BIM)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from core.ingest.metadata.cleaning import MAX_TITLE_LENGTH, clean, clean_description, clean_keywords, decode_text
from core.ingest.metadata.dates import parse_date, parse_offset, with_offset
from core.ingest.metadata.readings import Reading
from core.records.created_time import CreatedTime
from core.records.descriptions import Description, Place

_IPTC_RESOURCE, _DIGEST_RESOURCE = 0x0404, 0x0425
_RESOURCE_SIGNATURES = (b"8BIM", b"PHUT", b"DCSR", b"AgHg", b"MeSa")
_MAX_DATASETS = 10_000
_CHARACTER_SET = (1, 90)
# ISO 2022 escapes that programs write into 1:90; without one: UTF-8 if it is that, else Windows-1252.
_CODECS = {
    b"\x1b%G": "utf-8",
    b"\x1b-B": "iso8859_2",
    b"\x1b.B": "iso8859_2",
    b"\x1b-F": "iso8859_7",
    b"\x1b-L": "iso8859_5",
}
# The most bytes that the standard allows; a longer text is cut off there.
LIMITS = {
    "title": 64,
    "headline": 256,
    "description": 2000,
    "keywords": 64,
    "author": 32,
    "credit": 32,
    "licence": 128,
    "sublocation": 32,
    "city": 32,
    "state": 32,
    "country": 64,
}


@dataclass(frozen=True)
class Iptc:
    """The block's fields; `is_newer` says that it changed after its XMP was written, by a program without XMP."""

    reading: Reading
    is_newer: bool


def read_iptc(resources: bytes, block: bytes | None = None) -> Iptc | None:
    """The IPTC block in Photoshop's `resources`, or `block` itself (TIFF has it bare); None if there is none."""
    digest = None
    for number, data in _resources(resources):
        if number == _IPTC_RESOURCE and block is None:
            block = data
        elif number == _DIGEST_RESOURCE:
            digest = data[:16]
    if block is None:
        return None
    fields = _Fields(block)
    is_newer = digest is not None and any(digest) and digest not in _digests(block)
    return Iptc(_reading(fields), is_newer) if fields.values else None


def _digests(block: bytes) -> tuple[bytes, ...]:
    """Of the block, and without the zeros that TIFF fills words with."""
    return tuple(hashlib.md5(part, usedforsecurity=False).digest() for part in (block, block.rstrip(b"\0")))


def _reading(fields: _Fields) -> Reading:
    return Reading(
        about=Description(
            title=clean_description(fields.text(5), MAX_TITLE_LENGTH),
            headline=clean(fields.text(105), MAX_TITLE_LENGTH),
            description=clean_description(fields.text(120)),
            keywords=clean_keywords(fields.texts(25)),
            author=clean(", ".join(filter(None, map(clean, fields.texts(80)))), MAX_TITLE_LENGTH),
            credit=clean(fields.text(110), MAX_TITLE_LENGTH),
            licence=clean(fields.text(116), MAX_TITLE_LENGTH),
            place=Place(
                sublocation=clean(fields.text(92), MAX_TITLE_LENGTH),
                city=clean(fields.text(90), MAX_TITLE_LENGTH),
                state=clean(fields.text(95), MAX_TITLE_LENGTH),
                country=clean(fields.text(101), MAX_TITLE_LENGTH),
            ),
        ),
        original=_time(fields.text(55), fields.text(60)),
        digitised=_time(fields.text(62), fields.text(63)),
    )


def _time(date: str, time: str) -> CreatedTime | None:
    """IPTC keeps the date, `19980903`, and the time, `140500+0200`, in two datasets."""
    day, clock = parse_date(date.strip()), time.strip().replace(":", "")
    if day is None or day.precision != "day":
        return day
    offset = clock[6:] if parse_offset(clock[6:]) is not None else ""
    moment = parse_date(f"{day} {clock[:2]}:{clock[2:4]}:{clock[4:6]}")
    return with_offset(moment, offset) if moment is not None and moment.start.date() == day.start.date() else day


class _Fields:
    """Datasets of record 2 by number."""

    def __init__(self, block: bytes) -> None:
        self.values: dict[int, list[bytes]] = {}
        character_set = b""
        for record, dataset, value in islice(_datasets(block), _MAX_DATASETS):
            if (record, dataset) == _CHARACTER_SET:
                character_set = value
            elif record == 2:
                self.values.setdefault(dataset, []).append(value)
        self._codec = _CODECS.get(character_set)

    def texts(self, dataset: int) -> list[str]:
        return [self._decoded(value) for value in self.values.get(dataset, ())]

    def text(self, dataset: int) -> str:
        return next(iter(self.texts(dataset)), "")

    def _decoded(self, value: bytes) -> str:
        if self._codec in (None, "utf-8"):
            return decode_text(value)
        return value.split(b"\0", 1)[0].decode(self._codec or "utf-8", "replace")


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each image resource, as far as they are whole."""
    offset = 0
    while data[offset : offset + 4] in _RESOURCE_SIGNATURES and len(data) >= offset + 12:
        (number,) = struct.unpack_from(">H", data, offset + 4)
        offset += 6 + (data[offset + 6] + 2) // 2 * 2  # a name with its length, to an even number of bytes
        if len(data) < offset + 4:
            return
        (size,) = struct.unpack_from(">I", data, offset)
        yield number, data[offset + 4 : offset + 4 + size]
        offset += 4 + size + size % 2


def _datasets(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Record, dataset and value. What stands between two datasets is skipped: programs pad with zeros."""
    offset = block.find(b"\x1c")
    while 0 <= offset <= len(block) - 5:
        _, record, dataset, size = struct.unpack_from(">BBBH", block, offset)
        offset += 5
        if size & 0x8000:  # the length of the length, for what is larger than 32 kB
            length = size & 0x7FFF
            size = int.from_bytes(block[offset : offset + length], "big") if length <= 4 else len(block)
            offset += length
        yield record, dataset, block[offset : offset + size]
        offset = block.find(b"\x1c", offset + size)
