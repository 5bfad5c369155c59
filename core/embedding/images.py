"""Decodes a file's bytes to an upright RGB picture on white, whatever the format and mode."""

from __future__ import annotations

import ctypes
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin, UnidentifiedImageError, _imaging
from PIL.ExifTags import Base

from core.errors import BadImage
from core.text import one_line

SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
THUMBNAIL_PX = 384
# The shorter side of what thumbnails and every open_clip model's input are made from.
MIN_SIDE_PX = 720
MAX_ELONGATION = 100
BAND_PIXELS = 16_000_000
# open_image() checks the size itself, with a limit from the settings and an error that names it.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of damaged metadata once per file; what makes a picture unreadable is an error, not a warning.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
# Colour profiles may be larger than the 1 MiB that Pillow allows; the total of a file's texts stays bounded.
PngImagePlugin.MAX_TEXT_CHUNK = 16 * 1024 * 1024
# libtiff writes errors to standard error; where Pillow does not bundle it, that cannot be turned off.
with suppress(OSError, AttributeError):
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)
# HEIC is an optional extra: requirements-heic.txt.
try:
    import pillow_heif
except ImportError:
    HEIC = False
else:
    pillow_heif.register_heif_opener(thumbnails=False)
    HEIC = True
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", *(("HEIF",) if HEIC else ()))
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
    """Decode the first frame of `data` to an upright RGB picture.

    EXIF orientation is applied, transparency is composited on white, an embedded colour profile is converted to sRGB,
    16-bit and floating-point greys are scaled to 8 bits. The size is checked before any pixel is decoded.

    Raises BadImage with the same reason for the same kind of error.
    """
    return upright_rgb(open_image(data, path, max_megapixels), path)


def open_image(data: bytes, path: str = "image", max_megapixels: float = 200) -> Image.Image:
    """Read the header of `data`: format, size and metadata, no pixels yet. Raises BadImage."""
    image = _open(data, path)
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        size = f"{image.width}×{image.height} is {megapixels:.0f} megapixels, the limit is {max_megapixels:g}"
        raise BadImage(path, "too many pixels", f"{size}; CONTACTSHEET_MAX_MEGAPIXELS sets the limit")
    return image


def upright_size(size: tuple[int, int], image: Image.Image) -> tuple[int, int]:
    """The size from an image's header after orientation. Call after decoding: Pillow may decode to find out."""
    return (size[1], size[0]) if _orientation(image) >= 5 else size


def upright_rgb(image: Image.Image, path: str = "image", min_side_px: int | None = None) -> Image.Image:
    """The pixels of an opened image as `decode` describes them.

    With `min_side_px` a JPEG is decoded at a half, a quarter or an eighth of its scale, as long as its shorter side
    keeps that many pixels: libjpeg then skips the work for what would be scaled away. Raises BadImage.
    """
    try:
        if min_side_px and image.format == "JPEG":
            scale = max(1, min(image.size) // min_side_px)
            image.draft(None, (image.width // scale, image.height // scale))
        image.load()
        return _upright_rgb(image)
    except MemoryError as error:
        raise BadImage(path, "not enough memory", f"{image.width}×{image.height}") from error
    except Exception as error:  # Pillow's readers raise whatever their parsers meet
        reason = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise BadImage(path, reason, _short_message(error)) from error


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
    if megabytes > 8 * max_megapixels:  # four channels of 16 bits, uncompressed
        size = f"{megabytes:.0f} MB, the limit is {8 * max_megapixels:g}"
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
    return BadImage(str(path), "cannot be read", error.strerror or _short_message(error))


def _open(data: bytes, path: str) -> Image.Image:
    if not data:
        raise BadImage(path, "empty file")
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        if data.startswith(SIGNATURES):
            raise BadImage(path, "damaged", "its header cannot be read") from error
        if not HEIC and data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS:
            more = "HEIC needs an extra: pip install -r requirements-heic.txt"
            raise BadImage(path, "not an image in a supported format", more) from error
        raise BadImage(path, "not an image in a supported format") from error
    except Exception as error:  # Pillow's readers raise whatever their parsers meet
        raise BadImage(path, "damaged", _short_message(error)) from error


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
        value = image.getexif().get(Base.Orientation, 1)
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


def _short_message(error: BaseException) -> str:
    return one_line(str(error), 160) or type(error).__name__
