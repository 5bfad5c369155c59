"""Decodes a file's bytes to an upright RGB picture on white, whatever the format and mode."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from PIL.ExifTags import Base

from core.embedding import partial_decoding
from core.embedding.deferred_image import NOTE, ORIENTATION, DeferredImage
from core.embedding.image_headers import open_header, short_message
from core.errors import BadImage

THUMBNAIL_PX = 384
# The shorter side of what thumbnails and every open_clip model's input are made from.
MIN_SIDE_PX = 720
MAX_ELONGATION = 100
BAND_PIXELS = 16_000_000
MAX_BYTES_PER_PIXEL = 8  # four channels of 16 bits, uncompressed
_SRGB = ImageCms.createProfile("sRGB")
_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(data: bytes, path: str = "image", max_megapixels: float = 200) -> Image.Image:
    """Decode the main picture of `data` to an upright RGB picture: the first frame, the largest page, a RAW's preview.

    EXIF orientation is applied, transparency is composited on white, an embedded colour profile is converted to sRGB,
    16 bits and more and floating-point values are scaled to 8 bits. The size is checked before any pixel is decoded.

    Raises BadImage with the same reason for the same kind of error.
    """
    return upright_rgb(open_image(data, path, max_megapixels), path)


def open_image(data: bytes, path: str = "image", max_megapixels: float = 200) -> Image.Image:
    """Read the header of `data`: format, size and metadata, no pixels yet. Raises BadImage."""
    image = open_header(data, path)
    size, megapixels = f"{image.width}×{image.height}", image.width * image.height / 1e6
    unpacked = image.unpacked_bytes / 1e6 if isinstance(image, DeferredImage) else 0
    problem = ""
    if megapixels > max_megapixels:
        problem = f"is {megapixels:.0f} megapixels, the limit is {max_megapixels:g}"
    elif unpacked > MAX_BYTES_PER_PIXEL * max_megapixels:
        problem = f"takes {unpacked:.0f} MB to unpack, the limit is {MAX_BYTES_PER_PIXEL * max_megapixels:g}"
    if problem:
        raise BadImage(path, "too many pixels", f"{size} {problem}; CONTACTSHEET_MAX_MEGAPIXELS sets the limit")
    return image


def upright_size(size: tuple[int, int], image: Image.Image) -> tuple[int, int]:
    """The size from an image's header after orientation. Call after decoding: Pillow may decode to find out."""
    return (size[1], size[0]) if _orientation(image) >= 5 else size


def upright_rgb(image: Image.Image, path: str = "image", min_side_px: int | None = None) -> Image.Image:
    """The pixels of an opened image as `decode` describes them.

    With `min_side_px` a JPEG is decoded at a half, a quarter or an eighth of its scale, as long as its shorter side
    keeps that many pixels: libjpeg then skips the work for what would be scaled away; JPEG 2000 alike. A JPEG that
    lacks only its end is complete; `note_of(image)` then says so. Raises BadImage.
    """
    try:
        if min_side_px:
            partial_decoding.scale_down(image, min_side_px)
        return _upright_rgb(partial_decoding.load(image))
    except MemoryError as error:
        raise BadImage(path, "not enough memory", f"{image.width}×{image.height}") from error
    except Exception as error:  # Pillow's readers raise whatever their parsers meet
        reason = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise BadImage(path, reason, short_message(error)) from error


def note_of(image: Image.Image) -> str:
    """What people should know of a file that was read although something is wrong with it; empty if nothing.

    `image` is the file as opened, after its pixels were decoded.
    """
    return str(image.info.get(NOTE, ""))


def load(path: Path, max_megapixels: float = 200) -> Image.Image:
    """Read one file and decode it at the resolution a model needs. Raises BadImage, also if it cannot be read."""
    file_megabytes(path, max_megapixels)
    return upright_rgb(open_image(read_bytes(path), str(path), max_megapixels), str(path), MIN_SIDE_PX)


def file_megabytes(path: Path, max_megapixels: float) -> float:
    """The size of a regular file. Raises BadImage, also if it is larger than any picture of `max_megapixels` can be."""
    try:
        megabytes = path.stat().st_size / 1e6
    except OSError as error:
        raise _unreadable(path, error) from error
    if megabytes > MAX_BYTES_PER_PIXEL * max_megapixels:
        size = f"{megabytes:.0f} MB, the limit is {MAX_BYTES_PER_PIXEL * max_megapixels:g}"
        raise BadImage(str(path), "too large a file", f"{size}; CONTACTSHEET_MAX_MEGAPIXELS sets the limit")
    return megabytes


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file. Raises BadImage if it is missing, unreadable or not a regular file."""
    try:
        if not path.is_file() and path.exists():
            raise BadImage(str(path), "not a regular file")
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> BadImage:
    if isinstance(error, FileNotFoundError):
        return BadImage(str(path), "no such file")
    return BadImage(str(path), "cannot be read", error.strerror or short_message(error))


def _upright_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    image = _apply_orientation(image)
    if image.mode.startswith(("I", "F")):
        image = _to_8_bit(image)
    if image.mode in ("P", "PA", "LA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        return _composite_on_white(image, profile)
    image = _to_srgb(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        value = image.info.get(ORIENTATION) or image.getexif().get(Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged metadata is no reason to lose the picture
        return 1
    return value if value in _TRANSPOSES else 1


def _apply_orientation(image: Image.Image) -> Image.Image:
    method = _TRANSPOSES.get(_orientation(image))
    return image if method is None else image.transpose(method)


def _composite_on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    background = Image.new("RGB", image.size, "white")
    for box in _bands(*image.size):
        part = image.crop(box).convert("RGBA")
        background.paste(_to_srgb(part.convert("RGB"), profile), box, part.getchannel("A"))
    return background


def _bands(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of bounded size that cover the picture, so that intermediate results stay small."""
    rows = max(1, BAND_PIXELS // width)
    return ((0, top, width, min(top + rows, height)) for top in range(0, height, rows))


def _to_8_bit(image: Image.Image) -> Image.Image:
    values = np.array(image, dtype=np.float32)
    np.nan_to_num(values, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode.startswith("I;16") or (image.mode == "I" and values.max(initial=0) > 255):
        values /= 257.0
    elif image.mode == "F" and values.max(initial=0) <= 1.0:
        values *= 255.0
    np.rint(np.clip(values, 0, 255, out=values), out=values)
    return Image.fromarray(values.astype(np.uint8), "L")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except Exception:  # noqa: BLE001 - an unusable profile only changes colours: the picture is still usable
        return image
    return converted if converted is not None else image


def crop_center(image: Image.Image, max_elongation: int = MAX_ELONGATION) -> Image.Image:
    """The middle of a picture more than `max_elongation` times as long as wide; others unchanged.

    A model that scales the shorter side up would turn a line one pixel wide into gigabytes, and then crop its middle.
    """
    width, height = image.size
    max_side = max_elongation * min(width, height)
    left, top = max(0, width - max_side) // 2, max(0, height - max_side) // 2
    if left == top == 0:
        return image
    return image.crop((left, top, left + min(width, max_side), top + min(height, max_side)))


def thumbnail(image: Image.Image, max_side_px: int = THUMBNAIL_PX) -> bytes:
    """A JPEG whose longest side is at most `max_side_px` pixels; never larger than the picture itself."""
    small = image.reduce(max(1, max(image.size) // (4 * max_side_px)))
    small.info.clear()  # a comment from the file would be written too, and fails if it is long
    small.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()
