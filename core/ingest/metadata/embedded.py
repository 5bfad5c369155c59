"""Metadata embedded in image files: EXIF, IPTC, XMP and the texts of PNG, JPEG and GIF."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeVar

from PIL import Image
from PIL.ExifTags import Base

from core.ingest.metadata.cleaning import clean_description, decode_text
from core.ingest.metadata.exif import read_exif, read_exif_comment
from core.ingest.metadata.iptc import Iptc, read_iptc
from core.ingest.metadata.merging import merge_standards
from core.ingest.metadata.png_text import raw_profile, read_png_text
from core.ingest.metadata.readings import Reading
from core.ingest.metadata.xmp import read_xmp
from core.ingest.metadata.xmp_packet import MAX_PACKET_BYTES, parse_packet
from core.records.descriptions import Description

_PHOTOSHOP, _EXTENSION = b"Photoshop 3.0\0", b"http://ns.adobe.com/xmp/extension/\0"
_GUID_LENGTH = 32
_TIFF_IPTC, _TIFF_PHOTOSHOP = 33723, 34377
_MAX_RESOURCES_BYTES = 8 * 1024 * 1024
Part = TypeVar("Part")


def embedded_description(image: Image.Image) -> Description:
    """What the file says about its picture, by the Metadata Working Group's order; empty where there is nothing.

    `image` is the file as opened, before conversion, since conversion drops metadata. Metadata is optional: damage to
    one standard costs neither the picture nor what the other standards say.
    """
    exif = _attempt(read_exif, image, Reading())
    iptc: Iptc | None = _attempt(_iptc, image, None)
    xmp = _attempt(_xmp, image, Reading())
    return _attempt(
        lambda _: merge_standards(exif, iptc, xmp, [_attempt(_texts, image, Reading())]), image, Description()
    )


def _attempt(read: Callable[[Image.Image], Part], image: Image.Image, otherwise: Part) -> Part:
    try:
        return read(image)
    except Exception:  # noqa: BLE001 - metadata is optional: an error in it never costs the picture
        return otherwise


def _texts(image: Image.Image) -> Reading:
    """Texts that belong to no standard: EXIF's comment, those of PNG, the comments of JPEG and GIF."""
    png = read_png_text(image.info) if image.format == "PNG" else Reading()
    comment = image.info.get("comment")
    plain = decode_text(comment) if isinstance(comment, bytes) else ""
    about = Description(description=_attempt(read_exif_comment, image, "")).filled_from(png.about)
    return Reading(about.filled_from(Description(description=clean_description(plain))), digitised=png.digitised)


# -- IPTC ---------------------------------------------------------------------------------------------------------


def _iptc(image: Image.Image) -> Iptc | None:
    if image.format in ("JPEG", "MPO"):
        return read_iptc(_joined_segments(image, "APP13", _PHOTOSHOP))
    if image.format == "TIFF":
        return read_iptc(_tiff_bytes(image, _TIFF_PHOTOSHOP), _tiff_bytes(image, _TIFF_IPTC) or None)
    return read_iptc(raw_profile(image.info, "iptc", "8bim").removeprefix(_PHOTOSHOP))


def _joined_segments(image: Image.Image, name: str, signature: bytes) -> bytes:
    """A block that may be longer than a segment of a JPEG file, in its order."""
    segments = [data.removeprefix(signature) for data in _segments(image, name) if data.startswith(signature)]
    return b"".join(segments)[:_MAX_RESOURCES_BYTES]


def _segments(image: Image.Image, name: str) -> list[bytes]:
    return [data for marker, data in getattr(image, "applist", ()) if marker == name]


def _tiff_bytes(image: Image.Image, tag: int) -> bytes:
    """A tag's bytes, also where the file calls them whole numbers of four bytes."""
    value: Any = getattr(image, "tag_v2", {}).get(tag)
    if isinstance(value, bytes):
        return value[:_MAX_RESOURCES_BYTES]
    numbers = value if isinstance(value, tuple) else () if value is None else (value,)
    order = image.getexif().endian or "<"
    return struct.pack(f"{order}{len(numbers)}I", *numbers)[:_MAX_RESOURCES_BYTES]


# -- XMP ----------------------------------------------------------------------------------------------------------


def _xmp(image: Image.Image) -> Reading:
    info = image.info
    packet = info.get("xmp") or info.get("XML:com.adobe.xmp") or _tiff_bytes(image, Base.XMLPacket)
    xmp = parse_packet(packet or raw_profile(info, "xmp"))
    guid = xmp.text("xmpNote:HasExtendedXMP")
    extension = _extension(image, guid.encode("ascii", "replace")) if len(guid) == _GUID_LENGTH else b""
    return read_xmp(xmp.extended_by(parse_packet(extension)) if extension else xmp)


def _extension(image: Image.Image, guid: bytes) -> bytes:
    """The packet that continues one too long for a JPEG segment: parts with its GUID, whole length and offset."""
    whole = bytearray()
    for data in _segments(image, "APP1"):
        start = len(_EXTENSION) + _GUID_LENGTH
        if data.startswith(_EXTENSION + guid) and len(data) > start + 8:
            length, offset = struct.unpack_from(">II", data, start)
            part = data[start + 8 :]
            if offset + len(part) > min(length, MAX_PACKET_BYTES):
                return b""
            whole.extend(bytes(max(0, offset + len(part) - len(whole))))
            whole[offset : offset + len(part)] = part
    return bytes(whole)
