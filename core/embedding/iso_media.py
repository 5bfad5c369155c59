"""Walks the boxes of files that are built like MP4: Canon's CR3 and JPEG XL's container."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MAX_BOXES = 2000
_HOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


@dataclass(frozen=True)
class Box:
    """A box's type (for `uuid` boxes the 16 bytes that name them) and where its contents are."""

    kind: bytes
    start: int
    end: int


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes between two offsets, not those inside them."""
    at, end = start, len(data) if end is None else min(end, len(data))
    for _ in range(MAX_BOXES):
        if at + 8 > end:
            return
        size, kind, contents = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, contents = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        following = end if size == 0 else at + size
        if kind == b"uuid":
            kind, contents = data[contents : contents + 16], contents + 16
        if following < contents or following > end:
            return
        yield Box(kind, contents, following)
        at = following


def all_boxes(data: bytes) -> Iterator[Box]:
    """The boxes of a file, and those inside a film's own; at most MAX_BOXES."""
    waiting, count = [boxes(data)], 0
    while waiting and count < MAX_BOXES:
        box = next(waiting[-1], None)
        if box is None:
            waiting.pop()
            continue
        count += 1
        yield box
        if box.kind in _HOLDERS and len(waiting) < len(_HOLDERS) + 1:
            waiting.append(boxes(data, box.start, box.end))
