"""Decodes less than all of a file: at a smaller scale where that is enough, and a JPEG that lacks its end."""

from __future__ import annotations

import io

from PIL import Image, ImageChops, ImageFile, Jpeg2KImagePlugin, JpegImagePlugin

from core.embedding.deferred_image import NOTE
from core.embedding.jpeg_structure import END, has_every_scan, lacks_its_end

LACKS_ITS_END = "the end of the file is missing, the picture is complete"
# What may stand for the missing end. If nothing of the picture is missing, none of it makes a difference.
_BITS = (b"\xaa", b"\x00", b"\xfe", b"\x55", b"\x93", b"\x6c", b"\xe7")


def scale_down(image: Image.Image, min_side_px: int) -> None:
    """Have a JPEG or JPEG 2000 decoded at a half, a quarter or less, its shorter side no less than `min_side_px`."""
    scale = max(1, min(image.size) // min_side_px)
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        image.draft(None, (image.width // scale, image.height // scale))
    elif isinstance(image, Jpeg2KImagePlugin.Jpeg2KImageFile) and (data := _data(image)):
        image.reduce = min(scale.bit_length() - 1, _resolution_levels(data))


def load(image: Image.Image) -> Image.Image:
    """Decode an opened image; a JPEG that lacks nothing but its end is complete, with a note in its `info`."""
    if isinstance(image, JpegImagePlugin.JpegImageFile) and image.format != "RAW" and lacks_its_end(_data(image)):
        image.info[NOTE] = LACKS_ITS_END  # the decoder may have all the bits that it asks for
    try:
        image.load()
    except OSError as error:
        whole = _without_its_end(image) if "truncated" in str(error).lower() else None
        if whole is None:
            raise
        image.info[NOTE] = LACKS_ITS_END
        whole.info.update(image.info)
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
    first = _decoded(data + _end(data, _BITS[0]), image.size)
    for bits in _BITS[1:]:
        if ImageChops.difference(first, _decoded(data + _end(data, bits), image.size)).getbbox() is not None:
            return None
    return first


def _end(data: bytes, bits: bytes) -> bytes:
    """Any bits, the restarts that would come next with more of them, and the marker of the end."""
    scan = max(0, data.rfind(b"\xff\xda"))
    found = [(data.rfind(bytes((0xFF, 0xD0 + number)), scan), number) for number in range(8)]
    last = max(found)[1] if max(found)[0] >= 0 else -1
    restarts = b"".join(bytes((0xFF, 0xD0 + (last + number) % 8)) + 16 * bits for number in range(1, 9))
    return 64 * bits + restarts + END


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
