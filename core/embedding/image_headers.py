"""Reads the header of a file, whatever its name: which format it really has, which picture in it is the main one."""

from __future__ import annotations

import ctypes
import io
import logging
import struct
import warnings
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from PIL import Image, PngImagePlugin, TiffImagePlugin, UnidentifiedImageError, _imaging
from PIL.ExifTags import Base

from core.embedding import raw_decoder
from core.embedding.deferred_image import ORIENTATION, DeferredImage
from core.embedding.formats import EXTRAS, RAW_INSTALLED, format_of, missing_extra
from core.embedding.iso_media import boxes
from core.embedding.jpeg_photoshop import without_photoshop
from core.embedding.jpeg_xl import is_jpeg_xl, open_jpeg_xl
from core.embedding.png_chunks import without_large_texts
from core.embedding.raw_preview import XMP_BOX, CameraRaw, read_camera_raw
from core.embedding.scientific_tiff import read_layout, read_pixels
from core.embedding.tiff_directories import (
    MAX_XMP_BYTES,
    Directory,
    Tag,
    directories,
    first_offset,
    is_big,
    metadata_info,
)
from core.errors import BadImage
from core.text import one_line

# Below this a preview is a thumbnail, and developing the RAW is worth its time.
USABLE_PREVIEW_PX = 480
NOT_SUPPORTED = "not supported"
UNKNOWN = "not an image in a supported format"
_EXIF_BOX = b"JpgTiffExif->JP2"
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
with suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)
_PILLOW = (
    "JPEG",
    "PNG",
    "WEBP",
    "GIF",
    "TIFF",
    "BMP",
    "AVIF",
    "JPEG2000",
    *(("HEIF",) if "HEIF" in Image.OPEN else ()),
)


def open_header(data: bytes, path: str) -> Image.Image:
    """The main picture of a file: of several pages the largest, of a RAW its preview. Raises BadImage.

    `info` holds `exif`, `xmp` and `icc_profile` as Pillow names them, also for what Pillow does not read.
    """
    if not data:
        raise BadImage(path, "empty file")
    try:
        return _open_other(data, path) or _open_with_pillow(data)
    except BadImage:
        raise
    except UnidentifiedImageError as error:
        if (pixels_alone := without_photoshop(data)) != data:
            return open_header(pixels_alone, path)
        raise _unidentified(data, path) from error
    except Exception as error:  # readers raise whatever their parsers meet
        raise BadImage(path, "damaged", short_message(error)) from error


def short_message(error: BaseException) -> str:
    """An error as one line."""
    return one_line(str(error), 160) or type(error).__name__


def _open_other(data: bytes, path: str) -> Image.Image | None:
    """What Pillow alone would not open, or would read wrongly."""
    if is_jpeg_xl(data):
        try:
            return open_jpeg_xl(data)
        except ImportError as error:
            raise _lacks_extra(path, "JPEG XL", "JXL") from error
    found = directories(data)
    if raw := read_camera_raw(data, found):
        return _open_raw(data, raw, path)
    return _open_tiff(data, found, path) if found else None


def _open_with_pillow(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(without_large_texts(data)), formats=_PILLOW)
    if image.format == "JPEG2000" and data[4:8] == b"jP  ":
        for box in boxes(data):
            contents = data[box.start : min(box.end, box.start + MAX_XMP_BYTES)]
            if box.kind == XMP_BOX:
                image.info["xmp"] = contents
            elif box.kind == _EXIF_BOX:
                image.info["exif"] = b"Exif\0\0" + contents.removeprefix(b"Exif\0\0")
    return image


def _open_raw(data: bytes, raw: CameraRaw, path: str) -> Image.Image:
    """The preview, which is what a camera would show; developed only where there is none, or a thumbnail alone."""
    preview = raw.preview
    if preview is None or min(preview.size) < USABLE_PREVIEW_PX:
        developed = raw_decoder.open_raw(data, {**raw.info, ORIENTATION: 1})
        if developed is not None:
            return developed
    if preview is None:
        advice = "" if RAW_INSTALLED else f"; to develop it: pip install -r {EXTRAS['RAW']}"
        raise BadImage(path, NOT_SUPPORTED, f"a camera's RAW in which no preview was found{advice}")
    opened = Image.open(io.BytesIO(data[preview.start : preview.end]), formats=("JPEG",))
    opened.format = "RAW"  # no browser shows the file
    own_orientation = opened.getexif().get(Base.Orientation, 0)
    opened.info.update(raw.info)
    opened.info[ORIENTATION] = own_orientation or raw.orientation
    if "exif" in raw.info:
        opened.getexif().load(raw.info["exif"])
    return opened


def _open_tiff(data: bytes, found: Mapping[int, Directory], path: str) -> Image.Image:
    """The largest page that is no reduced copy of another and no mask; of equal ones the first."""
    offset, page = max(_pages(found), key=lambda item: _area(item[1]), default=(0, None))
    if page is None:
        raise BadImage(path, "damaged", "no page has a size")
    compression = page.number(Tag.COMPRESSION, 1)
    if compression not in TiffImagePlugin.COMPRESSION_INFO:
        raise BadImage(path, NOT_SUPPORTED, f"a TIFF in compression {compression}")
    first = found.get(first_offset(data), page)
    layout = read_layout(page)
    if layout is not None:
        decode = partial(read_pixels, page, layout)
        return DeferredImage("TIFF", layout.size, _tiff_info(first, page), decode, layout.unpacked_bytes)
    if page is first:
        return _open_with_pillow(data)
    image = _open_with_pillow(_with_first_page(data, page.order, offset))
    image.info.update(_tiff_info(first, page))
    return image


def _pages(found: Mapping[int, Directory]) -> list[tuple[int, Directory]]:
    sized = [(offset, page) for offset, page in found.items() if _area(page)]
    return [item for item in sized if not _is_reduced(item[1])] or sized


def _is_reduced(page: Directory) -> bool:
    return bool(page.number(Tag.NEW_SUBFILE_TYPE) & 5) or page.number(Tag.SUBFILE_TYPE) == 2


def _area(page: Directory) -> int:
    return page.number(Tag.WIDTH) * page.number(Tag.HEIGHT)


def _tiff_info(first: Directory, page: Directory) -> dict[str, Any]:
    info = metadata_info(first)
    info[ORIENTATION] = page.number(Tag.ORIENTATION, first.number(Tag.ORIENTATION, 1))
    if profile := page.raw(Tag.ICC_PROFILE):
        info["icc_profile"] = profile
    return info


def _with_first_page(data: bytes, order: str, offset: int) -> bytes:
    """The file with another of its directories as the first."""
    start, code = (8, "Q") if is_big(data) else (4, "I")
    pointer = struct.pack(order + code, offset)
    return b"".join((data[:start], pointer, data[start + len(pointer) :]))


def _unidentified(data: bytes, path: str) -> BadImage:
    name = format_of(data[:64])
    if missing_extra(name) == "HEIC":
        return _lacks_extra(path, "HEIC", "HEIC")
    if name == "TIFF" and directories(data):
        return BadImage(path, NOT_SUPPORTED, "a TIFF of a kind that is not read")
    if name in ("JPEG", "PNG", "GIF", "TIFF", "JPEG2000"):
        return BadImage(path, "damaged", "its header cannot be read")
    return BadImage(path, UNKNOWN)


def _lacks_extra(path: str, name: str, kind: str) -> BadImage:
    return BadImage(path, UNKNOWN, f"{name} needs an extra: pip install -r {EXTRAS[kind]}")
