"""Reads JPEG XL with imagecodecs, which is an optional extra: requirements-jxl.txt."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.embedding.deferred_image import ORIENTATION, DeferredImage
from core.embedding.iso_media import boxes

CODESTREAM, CONTAINER = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
MAX_METADATA_BYTES = 8 * 1024 * 1024
HEADER_BYTES = 32
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


def is_jpeg_xl(data: bytes) -> bool:
    """Whether the data begin like JPEG XL, bare or in its container."""
    return data.startswith((CODESTREAM, CONTAINER))


def open_jpeg_xl(data: bytes) -> DeferredImage:
    """The first frame, to be decoded later. Raises ImportError without imagecodecs, ValueError without a header."""
    import imagecodecs

    codestream, blocks = _read_container(data) if data.startswith(CONTAINER) else (data, {})
    if not codestream.startswith(CODESTREAM):
        raise ValueError("no codestream of JPEG XL")
    info: dict[str, Any] = {ORIENTATION: 1}  # the decoder turns the picture as the codestream says
    if block := blocks.get(b"Exif"):
        info["exif"] = b"Exif\0\0" + block[4 + int.from_bytes(block[:4], "big") :]
    if packet := blocks.get(b"xml "):
        info["xmp"] = packet

    def decode() -> Image.Image:
        try:
            return _as_image(imagecodecs.jpegxl_decode(data, index=0, numthreads=1))
        except imagecodecs.JpegxlError as error:
            raise OSError(f"JPEG XL: {error}") from error

    return DeferredImage("JXL", _upright_size(codestream), info, decode)


def _read_container(data: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The head of the codestream, and the first block of each kind of metadata, which cjxl compresses (`brob`)."""
    codestream, blocks = b"", dict[bytes, bytes]()
    for box in boxes(data):
        contents = data[box.start : min(box.end, box.start + MAX_METADATA_BYTES)]
        kind = contents[:4] if box.kind == b"brob" else box.kind
        if kind in (b"jxlc", b"jxlp") and not codestream:
            codestream = contents[4 if kind == b"jxlp" else 0 :][:HEADER_BYTES]
        elif kind in (b"Exif", b"xml ") and kind not in blocks:
            blocks[kind] = _decompressed(contents[4:]) if box.kind == b"brob" else contents
    return codestream, blocks


def _decompressed(data: bytes) -> bytes:
    """What Brotli unpacks to, nothing if it is damaged or too long: metadata never cost the picture."""
    import imagecodecs

    try:
        return bytes(imagecodecs.brotli_decode(data, out=MAX_METADATA_BYTES))
    except RuntimeError:
        return b""


def _as_image(pixels: NDArray[Any]) -> Image.Image:
    if pixels.dtype.kind == "f":
        pixels = np.rint(np.nan_to_num(pixels.astype(np.float32)).clip(0, 1) * 255)
    elif pixels.dtype == np.uint16:
        pixels = (pixels.astype(np.uint32) * 255 + 32895) >> 16
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return Image.fromarray(np.ascontiguousarray(pixels.astype(np.uint8)))


def _upright_size(codestream: bytes) -> tuple[int, int]:
    """Width and height from the codestream's SizeHeader and ImageMetadata (ISO/IEC 18181-1)."""
    bits, at = int.from_bytes(codestream[2:HEADER_BYTES], "little"), 0

    def read(count: int) -> int:
        nonlocal at
        at += count
        return bits >> (at - count) & ((1 << count) - 1)

    def side(small: bool) -> int:
        return 8 * (read(5) + 1) if small else read((9, 13, 18, 30)[read(2)]) + 1

    small = bool(read(1))
    height = side(small)
    ratio = read(3)
    width = height * _RATIOS[ratio][0] // _RATIOS[ratio][1] if ratio else side(small)
    orientation = 1 if read(1) or not read(1) else read(3) + 1
    if at > 8 * (len(codestream) - 2):
        raise ValueError("the header of JPEG XL is cut off")
    return (height, width) if orientation >= 5 else (width, height)
