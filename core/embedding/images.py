"""From a file's bytes to an upright RGB picture on white, whatever the format and mode."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from core.errors import BadImage

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")
SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp"})
THUMBNAIL_PX = 384
# open_image() checks the size itself, with a limit that is a setting and an error that names it.
Image.MAX_IMAGE_PIXELS = None
# Pillow warns of damaged metadata once per file; what costs the picture is an error, the rest does not matter here.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
_SRGB = ImageCms.createProfile("sRGB")


def decode(data: bytes, path: str = "image", max_megapixels: float = 200) -> Image.Image:
    """Decode the first frame of `data` to an upright RGB picture.

    EXIF orientation is applied, transparency is laid on white, an embedded colour profile is converted to sRGB,
    16-bit and floating-point greys are scaled to 8 bits. The size is checked before any pixel is decoded.

    Raises BadImage with a reason that is the same for the same kind of fault.
    """
    return upright_rgb(open_image(data, path, max_megapixels), path)


def open_image(data: bytes, path: str = "image", max_megapixels: float = 200) -> Image.Image:
    """Read the header of `data`: format, size and metadata, no pixels yet. Raises BadImage."""
    image = _open(data, path)
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        size = f"{image.width}×{image.height} is {megapixels:.0f} megapixels, allowed are {max_megapixels:g}"
        raise BadImage(path, "too many pixels", f"{size}; CONTACTSHEET_MAX_MEGAPIXELS sets the limit")
    return image


def upright_rgb(image: Image.Image, path: str = "image") -> Image.Image:
    """The pixels of an opened image as `decode` describes them. Raises BadImage."""
    try:
        image.load()
        return _upright_rgb(image)
    except (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, MemoryError, EOFError) as error:
        reason = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise BadImage(path, reason, _short(error)) from error


def load(path: Path, max_megapixels: float = 200) -> Image.Image:
    """Read and decode one file. Raises BadImage, also where the file cannot be read."""
    return decode(read_bytes(path), str(path), max_megapixels)


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file. Raises BadImage where it is missing, unreadable or not a regular file."""
    try:
        if not path.is_file():
            raise BadImage(str(path), "not a regular file" if path.exists() else "no such file")
        return path.read_bytes()
    except OSError as error:
        raise BadImage(str(path), "cannot be read", _short(error)) from error


def _open(data: bytes, path: str) -> Image.Image:
    if not data:
        raise BadImage(path, "empty file")
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise BadImage(path, "not an image in a supported format") from error
    except (OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise BadImage(path, "damaged", _short(error)) from error


def _upright_rgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "La", "RGBA", "RGBa"):
        return _on_white(image.convert("RGBA"), profile)
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image)
    return _to_srgb(image, profile).convert("RGB")


def _on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    ground = Image.new("RGB", image.size, "white")
    ground.paste(_to_srgb(image.convert("RGB"), profile), mask=image.getchannel("A"))
    return ground


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float32)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if image.mode.startswith("I;16") or (image.mode == "I" and values.max(initial=0) > 255):
        values = values / 257.0
    elif image.mode == "F" and values.max(initial=0) <= 1.0:
        values = values * 255.0
    return Image.fromarray(np.clip(values, 0, 255).round().astype(np.uint8), "L")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # a profile that cannot be used is a matter of colour, not a reason to lose the picture
    return converted if converted is not None else image


def thumbnail(image: Image.Image, longest_px: int = THUMBNAIL_PX) -> bytes:
    """A JPEG whose longest side is at most `longest_px` pixels; never larger than the picture itself."""
    small = image.copy()
    small.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text[:160] if text else type(error).__name__
