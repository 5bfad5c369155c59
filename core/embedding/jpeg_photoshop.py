"""JPEG files that Pillow cannot open for a damaged block of Photoshop's, which has nothing to do with their pixels."""

from __future__ import annotations

_START, _PHOTOSHOP, _PIXELS = b"\xff\xd8\xff", 0xED, 0xDA


def without_photoshop(data: bytes) -> bytes:
    """A JPEG without its APP13 segments; `data` itself where there are none, or the segments cannot be followed."""
    if not data.startswith(_START):
        return data
    kept, offset = [data[:2]], 2
    found = False
    while data[offset : offset + 1] == b"\xff" and offset + 4 <= len(data):
        marker, end = data[offset + 1], offset + 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
        if marker == _PIXELS:
            return b"".join([*kept, data[offset:]]) if found else data
        if marker == _PHOTOSHOP:
            found = True
        else:
            kept.append(data[offset:end])
        offset = end
    return data
