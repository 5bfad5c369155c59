"""What the markers of a JPEG say, without decoding it: its size, and whether every part of the picture has a scan."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

START, END = b"\xff\xd8", b"\xff\xd9"
MAX_SEGMENTS = 10_000
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # Huffman-coded and not lossless, which is what libjpeg decodes
_SCAN, _END = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff+[\xc0-\xcf\xd8-\xfe]")  # not a stuffed zero, not a restart


@dataclass(frozen=True)
class Segment:
    """A marker and its data; for a scan, `end` is where its compressed data end."""

    marker: int
    data: bytes
    end: int


def segments(data: bytes, start: int = 0) -> Iterator[Segment]:
    """The segments of the JPEG at `start`, to its end or to where it is not one any more."""
    at = start + 2
    if data[start:at] != START:
        return
    for _ in range(MAX_SEGMENTS):
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] == _END:
            return
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or at + 2 + length > len(data):
            return
        marker, body, at = data[at + 1], data[at + 4 : at + 2 + length], at + 2 + length
        if marker == _SCAN:
            following = _MARKER.search(data, at)
            at = following.start() if following else len(data)
        yield Segment(marker, body, at)


def frame_size(data: bytes, start: int = 0) -> tuple[int, int] | None:
    """Width and height of the JPEG at `start`; None if there is none that can be decoded (as a RAW's lossless one)."""
    for segment in segments(data, start):
        if segment.marker == _SCAN:
            return None
        if segment.marker in _FRAMES and len(segment.data) >= 6 and segment.data[0] == 8:
            height, width = int.from_bytes(segment.data[1:3], "big"), int.from_bytes(segment.data[3:5], "big")
            return (width, height) if width and height else None
    return None


def lacks_its_end(data: bytes) -> bool:
    """Whether the data stop in or after a scan, before the marker of the end; what follows that does not matter."""
    if data.endswith(END):
        return False
    at = max((segment.end for segment in segments(data)), default=0)
    return at > 0 and data[at:].strip(b"\xff") == b""


def has_every_scan(data: bytes) -> bool:
    """Whether each component has scans that bring all of its coefficients to full precision."""
    components: list[int] = []
    progressive = False
    known: dict[int, set[int]] = defaultdict(set)
    for segment in segments(data):
        body = segment.data
        if segment.marker in _FRAMES and len(body) >= 6 + 3 * body[5]:
            components, progressive = [body[6 + 3 * number] for number in range(body[5])], segment.marker == 0xC2
        elif segment.marker == _SCAN and len(body) >= 4 + 2 * body[0]:
            first, last, precision = body[1 + 2 * body[0] : 4 + 2 * body[0]]
            if precision & 15 == 0 or not progressive:
                for number in range(body[0]):
                    known[body[1 + 2 * number]].update(range(first, last + 1) if progressive else range(64))
    return bool(components) and all(len(known[component] & set(range(64))) == 64 for component in components)
