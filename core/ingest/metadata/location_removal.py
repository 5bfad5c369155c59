"""Removes coordinates from copies of pictures, without touching a pixel or anything else that is written in them.

Blocks of EXIF keep their length and every offset in them: the entries of GPS go, their values become zeros. In XMP the
properties of coordinates become blanks. Names of places stay: they are words that people chose to write. What makers
of cameras hide in their own notes is not known, and stays too.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePath

from core.embedding import images
from core.embedding.formats import HEAD_BYTES, RAW_SUFFIXES, format_of
from core.errors import ContactSheetError
from core.ingest.metadata.embedded import embedded_description

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "GIF", "BMP")
_BIG_TIFF = (b"II+\0", b"MM\0+")
_TIFF_HEADER = re.compile(rb"II\*\0|MM\0\*")
_GPS, _SUB_DIRECTORIES = 0x8825, 0x014A
# GPS, and what GeoTIFF says of where an image lies.
_LOCATION_TAGS = frozenset({_GPS, 33550, 33922, 34264, 34735, 34736, 34737})
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MAX_DIRECTORIES, _MAX_ENTRIES, _MAX_VALUE_BYTES = 64, 1_000, 64 * 1024
_RDF, _RDF_END, _MAX_PACKET_BYTES = b"http://www.w3.org/1999/02/22-rdf-syntax-ns#", b"RDF>", 16 * 1024 * 1024
_NAME = rb"(?!xmlns:)[a-z_][\w.-]*:(?:\w*(?:gps|latitude|longi?tude|longtitude)\w*|lat|long|lat_long)"
_ELEMENT = re.compile(rb"<(" + _NAME + rb")(?:\s[^<>]*)?(?:/>|>[^<]*</\1\s*>)", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"\s" + _NAME + rb"""\s*=\s*(?:"[^"]*"|'[^']*')""", re.IGNORECASE)
_PNG, _PNG_PROFILE = b"\x89PNG\r\n\x1a\n", b"Raw profile type "


def without_location(data: bytes, name: str) -> bytes | None:
    """A picture without coordinates: `data` itself if it has none, None if it is not certain that they can be removed.

    `name` is its file's: the formats of RAW files are those of cameras' makers, and nobody knows what is in them.
    """
    if not is_clearable(data, name):
        return None
    cleared = _png(data) if data.startswith(_PNG) else _cleared(data)
    return None if cleared is None or _has_gps(cleared) else data if cleared == data else cleared


def is_clearable(data: bytes, name: str) -> bool:
    """Whether a file is of a format that coordinates can be removed from."""
    known = format_of(data[:HEAD_BYTES]) in _FORMATS and not data.startswith(_BIG_TIFF)
    return known and PurePath(name).suffix.lower() not in RAW_SUFFIXES


def _has_gps(data: bytes) -> bool:
    """Whether our own readers still find coordinates: in a block that is split, compressed or in another encoding."""
    try:
        return embedded_description(images.open_image(data, "copy")).place.has_gps
    except ContactSheetError:
        return True  # what cannot be read cannot be checked


def _cleared(data: bytes) -> bytes | None:
    cleared = bytearray(data)
    for found in _TIFF_HEADER.finditer(data):
        if not _clear_tiff(cleared, found.start()):
            return None
    _clear_xmp(cleared)
    return bytes(cleared)


# -- EXIF ---------------------------------------------------------------------------------------------------------


def _clear_tiff(data: bytearray, base: int) -> bool:
    """Clear the directories of the TIFF structure at `base`, if it is one; whether all could be cleared."""
    order = "<" if data[base : base + 1] == b"I" else ">"
    (first,) = struct.unpack_from(f"{order}I", data, base + 4) if base + 8 <= len(data) else (0,)
    waiting, seen = [first], set[int]()
    while waiting and len(seen) < _MAX_DIRECTORIES:
        offset = waiting.pop()
        if offset < 8 or offset in seen:
            continue
        seen.add(offset)
        following = _clear_directory(data, base, offset, order)
        if following is None:
            return False
        waiting += following
    return True


def _clear_directory(data: bytearray, base: int, offset: int, order: str) -> list[int] | None:
    """Take the location out of a directory; the offsets of those it leads to, None if it cannot be taken out."""
    entries = _entries(data, base, offset, order)
    kept, removed = list[bytes](), list[bytes]()
    for entry in entries:
        (removed if struct.unpack_from(f"{order}H", entry)[0] in _LOCATION_TAGS else kept).append(entry)
    if not all(_clear_entry(data, base, entry, order) for entry in removed):
        return None
    end = base + offset + 2 + 12 * len(entries)
    next_pointer = bytes(data[end : end + 4])
    if removed:
        directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + next_pointer
        data[base + offset : end + 4] = directory + bytes(12 * len(removed))
    following = [pointer for entry in kept for pointer in _sub_directories(data, base, entry, order)]
    return following + ([struct.unpack(f"{order}I", next_pointer)[0]] if entries and len(next_pointer) == 4 else [])


def _entries(data: bytearray, base: int, offset: int, order: str) -> list[bytes]:
    """The entries of a directory, twelve bytes each; none if there is no directory."""
    start = base + offset + 2
    if start > len(data):
        return []
    (count,) = struct.unpack_from(f"{order}H", data, start - 2)
    if count > _MAX_ENTRIES or start + 12 * count > len(data):
        return []
    return [bytes(data[at : at + 12]) for at in range(start, start + 12 * count, 12)]


def _clear_entry(data: bytearray, base: int, entry: bytes, order: str) -> bool:
    """Overwrite what a removed entry leads to; whether that is as little as coordinates take."""
    tag, _, _, offset = struct.unpack(f"{order}HHII", entry)
    if tag != _GPS:
        return _clear_value(data, base, entry, order)
    values = _entries(data, base, offset, order)
    cleared = [_clear_value(data, base, value, order) for value in values]
    if values:
        data[base + offset : base + offset + 2 + 12 * len(values)] = bytes(2 + 12 * len(values))
    return all(cleared)


def _clear_value(data: bytearray, base: int, entry: bytes, order: str) -> bool:
    _, kind, count, offset = struct.unpack(f"{order}HHII", entry)
    size = _TYPE_BYTES.get(kind, 1) * count
    if size > _MAX_VALUE_BYTES:
        return False
    start, end = base + offset, base + offset + size
    if size > 4 and end <= len(data):
        data[start:end] = bytes(size)
    return True


def _sub_directories(data: bytearray, base: int, entry: bytes, order: str) -> Iterator[int]:
    tag, kind, count, offset = struct.unpack(f"{order}HHII", entry)
    if tag != _SUB_DIRECTORIES or kind not in (4, 13) or count > _MAX_DIRECTORIES:
        return
    if count == 1:
        yield offset
    elif base + offset + 4 * count <= len(data):
        yield from struct.unpack_from(f"{order}{count}I", data, base + offset)


# -- XMP ----------------------------------------------------------------------------------------------------------


def _clear_xmp(data: bytearray) -> None:
    position = 0
    while (position := data.find(_RDF, position)) >= 0:
        end = data.find(_RDF_END, position, position + _MAX_PACKET_BYTES)
        end = end if end >= 0 else min(len(data), position + _MAX_PACKET_BYTES)
        packet = bytes(data[position:end])
        for pattern in (_ELEMENT, _ATTRIBUTE):
            packet = pattern.sub(lambda found: b" " * len(found[0]), packet)
        data[position:end] = packet
        position = end


# -- PNG ----------------------------------------------------------------------------------------------------------


def _png(data: bytes) -> bytes | None:
    """A PNG file with its chunks cleared; those whose texts hold coordinates as hexadecimal digits are left out."""
    parts, at = [_PNG], len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if len(body) < length:
            break
        cleared = _chunk(kind, body)
        if cleared == body:
            parts.append(data[at : at + 12 + length])
        elif cleared is not None:
            checksum = zlib.crc32(kind + cleared)
            parts.append(struct.pack(">I", len(cleared)) + kind + cleared + struct.pack(">I", checksum))
        at += 12 + length
    rest = _cleared(data[at:])
    return None if rest is None else b"".join(parts) + rest


def _chunk(kind: bytes, body: bytes) -> bytes | None:
    """The content of a chunk without coordinates; None if the chunk has to go."""
    if kind == b"eXIf":
        return _cleared(body)
    if kind == b"iTXt":
        return _international_text(body)
    if kind not in (b"tEXt", b"zTXt"):
        return body
    keyword, _, value = body.partition(b"\0")
    if b"gps" in keyword.lower():
        return None
    if not keyword.startswith(_PNG_PROFILE):
        return body
    text = value if kind == b"tEXt" else _inflated(value[1:])
    profile = _from_hexadecimal(text)
    return body if profile is not None and _cleared(profile) == profile else None


def _international_text(body: bytes) -> bytes | None:
    keyword, _, rest = body.partition(b"\0")
    if b"gps" in keyword.lower() or len(rest) < 2:
        return None
    header_end = rest.find(b"\0", rest.find(b"\0", 2) + 1) + 1
    header, text = rest[:header_end], rest[header_end:]
    if header[:1] != b"\1":
        cleared = _cleared(text)
        return None if cleared is None else keyword + b"\0" + header + cleared
    inflated = _inflated(text)
    cleared = _cleared(inflated) if inflated else None
    if cleared is None:
        return None
    return body if cleared == inflated else keyword + b"\0" + header + zlib.compress(cleared)


def _inflated(data: bytes) -> bytes:
    """At most as much as a packet may be long; nothing for what is damaged."""
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(data, _MAX_PACKET_BYTES)
    return b""


def _from_hexadecimal(text: bytes) -> bytes | None:
    """The bytes of a profile as ImageMagick writes it: a line break, its name, its length, then hexadecimal digits."""
    try:
        return bytes.fromhex("".join(text.decode("ascii").split()[2:]))
    except ValueError:
        return None
