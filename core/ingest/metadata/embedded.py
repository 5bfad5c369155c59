"""Metadata embedded in image files: EXIF, IPTC, XMP and the texts of PNG, JPEG and GIF."""

from __future__ import annotations

import struct
from collections.abc import Callable
from operator import methodcaller
from typing import TypeVar

from PIL import GifImagePlugin, Image, TiffImagePlugin
from PIL.ExifTags import Base

from core.embedding.deferred_image import TIFF_BLOCKS
from core.ingest.metadata.cleaning import clean_comment, decode_text
from core.ingest.metadata.exif import ExifTags, read_exif, read_exif_extras
from core.ingest.metadata.iptc import Iptc, read_iptc
from core.ingest.metadata.merging import merge_standards
from core.ingest.metadata.png_text import raw_profile, read_png_text
from core.ingest.metadata.readings import NOTHING, Reading
from core.ingest.metadata.xmp import read_xmp, read_xmp_extras
from core.ingest.metadata.xmp_packet import MAX_PACKET_BYTES, Properties, parse_packet
from core.records.descriptions import Description

_PHOTOSHOP, _EXTENSION = b"Photoshop 3.0\0", b"http://ns.adobe.com/xmp/extension/\0"
_GUID_LENGTH = 32
_TIFF_IPTC, _TIFF_PHOTOSHOP = 33723, 34377
_MAX_BLOCK_BYTES = 8 * 1024 * 1024
_GIF_PACKET, _GIF_TRAILER = b"!\xff\x0bXMP DataXMP", b"\x01\xff\xfe\xfd"
_MAX_GIF_BYTES = 16 * 1024 * 1024
Block = TypeVar("Block")
Part = TypeVar("Part")


def embedded_description(image: Image.Image) -> Description:
    """What the file says about its picture, by the Metadata Working Group's order; empty where there is nothing.

    `image` is the file as opened, before conversion, since conversion drops metadata. Metadata is optional: damage to
    one standard costs neither the picture nor what the other standards say.
    """
    return _attempt(_description, image, Description())


def _description(image: Image.Image) -> Description:
    if image.format == "PNG":
        _attempt(methodcaller("load"), image, None)  # its texts may stand behind its pixels
    exif, exif_extras = _attempt(_exif, image, (NOTHING, NOTHING))
    xmp, xmp_extras = _attempt(_xmp, image, (NOTHING, NOTHING))
    iptc: Iptc | None = _attempt(_iptc, image, None)
    return merge_standards(exif, iptc, xmp, [exif_extras, xmp_extras, _png_text(image), _comment(image)])


def _attempt(read: Callable[[Block], Part], block: Block, otherwise: Part) -> Part:
    try:
        return read(block)
    except Exception:  # noqa: BLE001 - metadata is optional: an error in it never costs the picture
        return otherwise


def _exif(image: Image.Image) -> tuple[Reading, Reading]:
    tags = ExifTags(image)
    return (read_exif(tags), read_exif_extras(tags)) if tags else (NOTHING, NOTHING)


def _png_text(image: Image.Image) -> Reading:
    return read_png_text(image.info) if image.format == "PNG" else NOTHING


def _comment(image: Image.Image) -> Reading:
    """The comment of a JPEG or GIF file."""
    comment = image.info.get("comment")
    if not isinstance(comment, bytes):
        return NOTHING
    return Reading(Description(description=clean_comment(decode_text(comment))))


# -- IPTC ---------------------------------------------------------------------------------------------------------


def _iptc(image: Image.Image) -> Iptc | None:
    if image.format in ("JPEG", "MPO") or (image.format == "RAW" and not image.info.get(TIFF_BLOCKS)):
        return read_iptc(_joined_segments(image, "APP13", _PHOTOSHOP))
    if image.format == "TIFF" or image.info.get(TIFF_BLOCKS):
        return read_iptc(_tiff_bytes(image, _TIFF_PHOTOSHOP), _tiff_bytes(image, _TIFF_IPTC) or None)
    return read_iptc(raw_profile(image.info, "iptc", "8bim").removeprefix(_PHOTOSHOP))


def _joined_segments(image: Image.Image, name: str, signature: bytes) -> bytes:
    """A block that may be longer than a segment of a JPEG file, in its order."""
    segments = [data.removeprefix(signature) for data in _segments(image, name) if data.startswith(signature)]
    return b"".join(segments)[:_MAX_BLOCK_BYTES]


def _segments(image: Image.Image, name: str) -> list[bytes]:
    return [data for marker, data in getattr(image, "applist", ()) if marker == name]


def _tiff_bytes(image: Image.Image, tag: int) -> bytes:
    """A tag's bytes, whatever the file calls them: bytes, text or whole numbers."""
    if tag in image.info.get(TIFF_BLOCKS, {}):
        return bytes(image.info[TIFF_BLOCKS][tag])
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return b""
    value = image.tag.tagdata.get(tag, b"")
    return value[:_MAX_BLOCK_BYTES] if isinstance(value, bytes) else b""


# -- XMP ----------------------------------------------------------------------------------------------------------


def _xmp(image: Image.Image) -> tuple[Reading, Reading]:
    packet = _packet(image)
    return (read_xmp(packet), read_xmp_extras(packet)) if packet else (NOTHING, NOTHING)


def _packet(image: Image.Image) -> Properties:
    info = image.info
    packet = (
        info.get("xmp") or info.get("XML:com.adobe.xmp") or _tiff_bytes(image, Base.XMLPacket) or _gif_packet(image)
    )
    xmp = parse_packet(packet or raw_profile(info, "xmp", "APP1"))
    guid = xmp.text("xmpNote:HasExtendedXMP")
    extension = _extension(image, guid.encode("ascii", "replace")) if len(guid) == _GUID_LENGTH else b""
    return xmp.extended_by(parse_packet(extension)) if extension else xmp


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


def _gif_packet(image: Image.Image) -> bytes:
    """The packet of a GIF file, which Pillow passes over: it is no proper block, but ends with a trailer."""
    file = image.fp or getattr(image, "_fp", None) if isinstance(image, GifImagePlugin.GifImageFile) else None
    if file is None:
        return b""
    position = file.tell()
    file.seek(0)
    data = file.read(_MAX_GIF_BYTES)
    file.seek(position)
    start = data.find(_GIF_PACKET)
    return data[start + len(_GIF_PACKET) : data.find(_GIF_TRAILER, start)] if start >= 0 else b""
