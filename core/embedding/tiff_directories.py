"""Reads the directories of a TIFF, or of a camera's RAW that is built like one, within bounds, and not its pixels."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from core.embedding.deferred_image import TIFF_BLOCKS

MAX_DIRECTORIES = 256
MAX_ENTRIES = 4096
MAX_VALUES = 1_000_000
MAX_TEXT_BYTES = 64 * 1024  # of one entry that is copied into a block of metadata
MAX_BLOCK_BYTES = 1024 * 1024
MAX_XMP_BYTES = 8 * 1024 * 1024  # of IPTC and of Photoshop's block as well
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
# After the byte order: TIFF, BigTIFF, Panasonic's RW2, and Olympus's ORF in its three forms.
_MAGIC = {
    b"II*\0": "<",
    b"MM\0*": ">",
    b"II+\0": "<",
    b"MM\0+": ">",
    b"IIU\0": "<",
    b"IIRO": "<",
    b"IIRS": "<",
    b"MMOR": ">",
}


class Tag(IntEnum):
    """The tags that are looked at here, as TIFF 6.0, TIFF/EP, Exif, DNG and Panasonic number them."""

    JPEG_FROM_RAW = 0x002E
    NEW_SUBFILE_TYPE = 254
    SUBFILE_TYPE = 255
    WIDTH = 256
    HEIGHT = 257
    BITS = 258
    COMPRESSION = 259
    PHOTOMETRIC = 262
    STRIP_OFFSETS = 273
    ORIENTATION = 274
    SAMPLES = 277
    ROWS_PER_STRIP = 278
    STRIP_BYTES = 279
    MAX_VALUE = 281
    PLANAR = 284
    PREDICTOR = 317
    TILE_WIDTH = 322
    TILE_HEIGHT = 323
    TILE_OFFSETS = 324
    TILE_BYTES = 325
    SUB_DIRECTORIES = 330
    EXTRA_SAMPLES = 338
    SAMPLE_FORMAT = 339
    JPEG_TABLES = 347
    JPEG_OFFSET = 513
    JPEG_BYTES = 514
    XMP = 700
    IPTC = 33723
    PHOTOSHOP = 34377
    EXIF = 34665
    ICC_PROFILE = 34675
    GPS = 34853
    DNG_VERSION = 50706


@dataclass(frozen=True)
class Entry:
    """Where the values of one tag are: `count` of a TIFF type, `size` bytes from `offset`."""

    kind: int
    count: int
    offset: int
    size: int


@dataclass(frozen=True)
class Directory:
    """One directory of a file; `order` is `<` or `>`, `next` the offset of the one after it, 0 if none."""

    data: bytes = field(repr=False)
    order: str
    entries: Mapping[int, Entry]
    next: int = 0

    def raw(self, tag: int) -> bytes:
        """The values of a tag as they are stored; empty if it is missing."""
        entry = self.entries.get(tag)
        return self.data[entry.offset : entry.offset + entry.size] if entry else b""

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The whole numbers of a tag, the first MAX_VALUES of them; empty if it is missing or of another type."""
        entry = self.entries.get(tag)
        if entry is None or entry.kind not in _FORMATS:
            return ()
        count = min(entry.count, MAX_VALUES)
        return struct.unpack_from(f"{self.order}{count}{_FORMATS[entry.kind]}", self.data, entry.offset)

    def number(self, tag: int, default: int = 0) -> int:
        """The first number of a tag."""
        return next(iter(self.numbers(tag)), default)

    def of(self, tag: int) -> Directory | None:
        """The directory that a tag points at, None if there is none to read."""
        return read_directory(self.data, self.number(tag), self.order)


def byte_order(data: bytes) -> str:
    """`<` or `>`; empty if the data do not begin like a TIFF."""
    return _MAGIC.get(data[:4], "")


def is_big(data: bytes) -> bool:
    """Whether this is a BigTIFF, with offsets of 8 bytes."""
    return data[:4] in (b"II+\0", b"MM\0+")


def first_offset(data: bytes) -> int:
    """The offset of the first directory, 0 if the header is cut off."""
    where, code, end = (8, "Q", 16) if is_big(data) else (4, "I", 8)
    return int(struct.unpack_from(byte_order(data) + code, data, where)[0]) if len(data) >= end else 0


def read_directory(data: bytes, offset: int, order: str) -> Directory | None:
    """The directory at an offset, without entries that lead out of the file; None if there is none."""
    big = is_big(data)
    count_code, entry_code, inline = ("Q", "HHQ8s", 8) if big else ("H", "HHI4s", 4)
    entry_struct, header = struct.Struct(order + entry_code), struct.calcsize(order + count_code)
    if not 8 <= offset <= len(data) - header:
        return None
    count = min(struct.unpack_from(order + count_code, data, offset)[0], MAX_ENTRIES)
    start, end = offset + header, offset + header + count * entry_struct.size
    if count == 0 or end > len(data):
        return None
    entries: dict[int, Entry] = {}
    for at in range(start, end, entry_struct.size):
        tag, kind, number, _ = entry_struct.unpack_from(data, at)
        size, value_at = _SIZES.get(kind, 0) * number, at + entry_struct.size - inline
        if size > inline:
            value_at = struct.unpack_from(order + ("Q" if big else "I"), data, value_at)[0]
        if size > 0 and value_at + size <= len(data):
            entries.setdefault(tag, Entry(kind, number, value_at, size))
    following = data[end : end + inline]
    return Directory(data, order, entries, int.from_bytes(following, "little" if order == "<" else "big"))


def directories(data: bytes) -> dict[int, Directory]:
    """The directories of a file by their offsets, pages first and then what they refer to, each once."""
    order = byte_order(data)
    found: dict[int, Directory] = {}
    waiting = [first_offset(data)] if order else []
    while waiting and len(found) < MAX_DIRECTORIES:
        offset = waiting.pop(0)
        if offset in found or (directory := read_directory(data, offset, order)) is None:
            continue
        found[offset] = directory
        waiting[:0] = [directory.next]
        waiting += directory.numbers(Tag.SUB_DIRECTORIES)[:MAX_DIRECTORIES]
    return found


# What describes pixels, or points elsewhere in the file, has no place in a block of metadata.
_LEFT_OUT = frozenset(
    {*range(254, 263), 266, 273, *range(277, 285), *range(317, 348), *range(512, 522), 700, 37500, 40965, 34665, 34853}
)
_FRACTIONS = (5, 10)


def metadata_block(main: Directory, exif: Directory | None, gps: Directory | None) -> bytes:
    """The main directory, Exif and GPS as one small block: `Exif\\0\\0` and a TIFF."""
    order = main.order
    rows = _rows(main, order)
    parts = {tag: _rows(part, order) for tag, part in ((Tag.EXIF, exif), (Tag.GPS, gps)) if part}
    rows |= {tag: (4, bytes(4)) for tag in parts}
    at, tail = 8 + len(_packed(order, 8, rows)), b""
    for tag, part in parts.items():
        rows[tag] = 4, struct.pack(f"{order}I", at + len(tail))
        tail += _packed(order, at + len(tail), part)
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return b"Exif\0\0" + header + _packed(order, 8, rows) + tail


def metadata_info(main: Directory) -> dict[str, Any]:
    """What a main directory says of its picture, named as Pillow names it in `info`."""
    info: dict[str, Any] = {"exif": metadata_block(main, main.of(Tag.EXIF), main.of(Tag.GPS))}
    if packet := main.raw(Tag.XMP)[:MAX_XMP_BYTES]:
        info["xmp"] = packet
    info[TIFF_BLOCKS] = {tag: main.raw(tag)[:MAX_XMP_BYTES] for tag in (Tag.IPTC, Tag.PHOTOSHOP) if tag in main.entries}
    return info


def _rows(directory: Directory, order: str) -> dict[int, tuple[int, bytes]]:
    """The type and the bytes, in the byte order given, of what is worth copying and not too long."""
    rows, total = dict[int, tuple[int, bytes]](), 0
    for tag, entry in sorted(directory.entries.items()):
        if tag in _LEFT_OUT or entry.size > MAX_TEXT_BYTES or total + entry.size > MAX_BLOCK_BYTES:
            continue
        total += entry.size
        rows[tag] = entry.kind, _swapped(directory.raw(tag), entry.kind, directory.order != order)
    return rows


def _swapped(value: bytes, kind: int, swap: bool) -> bytes:
    width = 4 if kind in _FRACTIONS else _SIZES[kind]
    if not swap or width == 1:
        return value
    return b"".join(value[at : at + width][::-1] for at in range(0, len(value), width))


def _packed(order: str, at: int, rows: Mapping[int, tuple[int, bytes]]) -> bytes:
    """A directory at offset `at`, with its longer values behind it."""
    packed, behind = struct.pack(f"{order}H", len(rows)), at + 2 + 12 * len(rows) + 4
    tail = b""
    for tag, (kind, value) in sorted(rows.items()):
        packed += struct.pack(f"{order}HHI", tag, kind, len(value) // _SIZES[kind])
        if len(value) <= 4:
            packed += value.ljust(4, b"\0")
        else:
            packed += struct.pack(f"{order}I", behind + len(tail))
            tail += value + bytes(len(value) % 2)
    return packed + bytes(4) + tail
