"""PNG files as chunks: texts that unpack to more than Pillow reads are left out, since they would cost the picture."""

from __future__ import annotations

import zlib

from PIL import PngImagePlugin

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AROUND_CONTENT = 12  # length and kind before it, the checksum after it


def without_large_texts(data: bytes) -> bytes:
    """A PNG file without compressed texts that are larger than Pillow unpacks; any other as it is."""
    if not data.startswith(_SIGNATURE):
        return data
    pieces, kept_from, at = list[bytes](), 0, len(_SIGNATURE)
    while at + _AROUND_CONTENT <= len(data):
        end = at + _AROUND_CONTENT + int.from_bytes(data[at : at + 4])
        packed = _packed(data[at + 4 : at + 8], data, at + 8, end - 4)
        if packed and _is_large(packed):
            pieces.append(data[kept_from:at])
            kept_from = end
        at = end
    return b"".join([*pieces, data[kept_from:]]) if pieces else data


def _packed(kind: bytes, data: bytes, start: int, end: int) -> bytes:
    """The zlib stream of a text; empty for other chunks."""
    if kind == b"zTXt":  # name, 0, method, stream
        return data[start:end].partition(b"\0")[2][1:]
    if kind == b"iTXt":  # name, 0, whether it is compressed, method, language, 0, translated name, 0, text
        rest = data[start:end].partition(b"\0")[2]
        return rest[2:].partition(b"\0")[2].partition(b"\0")[2] if rest[:1] == b"\1" else b""
    return b""


def _is_large(packed: bytes) -> bool:
    unpacking = zlib.decompressobj()
    try:
        unpacking.decompress(packed, PngImagePlugin.MAX_TEXT_CHUNK)
    except zlib.error:  # Pillow passes over it
        return False
    return bool(unpacking.unconsumed_tail)
