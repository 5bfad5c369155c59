"""Exif 3.0 (CIPA DC-008-2023) has a type of its own for texts in UTF-8, which Pillow passes over."""

from __future__ import annotations

import struct

_ASCII, _UTF_8 = 2, 129
_DIRECTORIES = (0x8769, 0x8825)  # EXIF, GPS
_MAX_DIRECTORIES, _ENTRY_LENGTH = 8, 12
EXIF_HEADER = b"Exif\0\0"


def with_ascii_texts(block: bytes) -> bytes:
    """An EXIF block whose texts in UTF-8 are called ASCII, as before Exif 3.0: readers keep their bytes."""
    head = len(EXIF_HEADER) if block.startswith(EXIF_HEADER) else 0
    order = {b"II": "<", b"MM": ">"}.get(block[head : head + 2])
    if order is None or len(block) < head + 8 or struct.pack(f"{order}H", _UTF_8) not in block:
        return block
    data, seen = bytearray(block), set[int]()
    pending = [struct.unpack_from(f"{order}I", data, head + 4)[0]]
    while pending and len(seen) < _MAX_DIRECTORIES:
        offset = head + pending.pop()
        if offset in seen or offset + 2 > len(data):
            continue
        seen.add(offset)
        end = offset + 2 + _ENTRY_LENGTH * struct.unpack_from(f"{order}H", data, offset)[0]
        for at in range(offset + 2, min(end, len(data) - _ENTRY_LENGTH + 1), _ENTRY_LENGTH):
            tag, kind, _, value = struct.unpack_from(f"{order}HHII", data, at)
            if kind == _UTF_8:
                struct.pack_into(f"{order}H", data, at + 2, _ASCII)
            elif tag in _DIRECTORIES:
                pending.append(value)
    return bytes(data)
