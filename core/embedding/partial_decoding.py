"""Decodes less than all of a file: at a smaller scale where that is enough, and a JPEG that lacks its end."""

from __future__ import annotations

import io

from PIL import Image, ImageChops, ImageFile, Jpeg2KImagePlugin, JpegImagePlugin

from core.embedding.deferred_image import NOTE
from core.embedding.jpeg_structure import END, has_every_scan

LACKS_ITS_END = "the end of the file is missing, the picture is complete"
# What stands for the missing end must not matter: other bits, and restarts where some are expected.
_RESTARTS = b"".join(bytes((0xFF, 0xD0 + number)) + b"\xaa" * 16 for number in range(8))
_ENDS = (b"\x00" * 64 + END, b"\xaa" * 64 + _RESTARTS + END)


def scale_down(image: Image.Image, min_side_px: int) -> None:
    """Have a JPEG or JPEG 2000 decoded at a half, a quarter or less, its shorter side no less than `min_side_px`."""
    scale = max(1, min(image.size) // min_side_px)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft(None, (image.width // scale, image.height // scale))
    elif isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile) and (data := _data(image)):
        image.reduce = min(scale.bit_length() - 1, _resolution_levels(data))


def load(image: Image.Image) -> Image.Image:
    """Decode an opened image; a JPEG that lacks nothing but its end is complete, with a note in its `info`."""
    try:
        image.load()
    except OSError as error:
        whole = _without_its_end(image) if "truncated" in str(error).lower() else None
        if whole is None:
            raise
        image.info[NOTE] = LACKS_ITS_END
        whole.info |= image.info
        return whole
    if isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile):
        image.reduce = 0  # Pillow's method of this name is hidden by the number
    return image


def _without_its_end(image: Image.Image) -> Image.Image | None:
    """The pixels of a JPEG whose compressed data are all there; None if some of the picture is missing."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile):
        return None
    data = _data(image).rstrip(b"\xff")
    if not has_every_scan(data):
        return None
    first, second = (_decoded(data + end, image.size) for end in _ENDS)
    return first if ImageChops.difference(first, second).getbbox() is None else None


def _decoded(data: bytes, size: tuple[int, int]) -> Image.Image:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        image.draft(None, size)
        image.load()
        return image


def _data(image: ImageFile.ImageFile) -> bytes:
    return image.fp.getvalue() if isinstance(image.fp, io.BytesIO) else b""


def _resolution_levels(data: bytes) -> int:
    """How often a JPEG 2000 can be halved: a byte of its marker COD (ISO/IEC 15444-1, A.6.1)."""
    start = data.find(b"\xff\x4f\xff\x51")
    at = data.find(b"\xff\x52\x00", max(start, 0))
    return min(data[at + 9], 32) if start >= 0 and 0 <= at < len(data) - 9 else 0
