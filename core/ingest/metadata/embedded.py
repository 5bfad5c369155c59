"""Metadata embedded in image files: EXIF, IPTC and XMP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PIL import Image, ImageFile, IptcImagePlugin, TiffImagePlugin
from PIL.ExifTags import IFD, Base

from core.ingest.metadata.cleaning import MAX_TEXT_LENGTH, MAX_TITLE_LENGTH, clean, clean_keywords, parse_date
from core.records.descriptions import Description

# Parsing takes about ten times a packet's size in memory; the packets of editing programs are far smaller.
MAX_XMP_BYTES = 8 * 1024 * 1024
_DC = "{http://purl.org/dc/elements/1.1/}"


def embedded_description(image: Image.Image) -> Description:
    """Title, description, keywords, author, rights and date from XMP, then IPTC, then EXIF.

    `image` is the file as opened, before conversion, since conversion drops metadata.
    """
    about = Description()
    for read in (_xmp, _iptc, _exif):
        try:
            about = about.filled_from(read(image))
        except Exception:  # noqa: BLE001, S112 - metadata is optional: an error in it never costs the picture
            continue
    return about


def _exif(image: Image.Image) -> Description:
    exif = image.getexif()
    detail = exif.get_ifd(IFD.Exif)
    return Description(
        title=clean(_windows_text(exif.get(Base.XPTitle)), MAX_TITLE_LENGTH),
        description=_text(exif.get(Base.ImageDescription)) or clean(_windows_text(exif.get(Base.XPComment))),
        keywords=clean_keywords(_windows_text(exif.get(Base.XPKeywords)).split(";")),
        author=_text(exif.get(Base.Artist), MAX_TITLE_LENGTH),
        licence=_text(exif.get(Base.Copyright), MAX_TITLE_LENGTH),
        created=parse_date(_text(detail.get(Base.DateTimeOriginal) or detail.get(Base.DateTimeDigitized))),
    )


def _iptc(image: Image.Image) -> Description:
    fields: Mapping[tuple[int, int], Any] = (
        IptcImagePlugin.getiptcinfo(image) or {} if isinstance(image, ImageFile.ImageFile) else {}
    )
    keywords = fields.get((2, 25), [])
    return Description(
        title=_text(fields.get((2, 5)), MAX_TITLE_LENGTH),
        description=_text(fields.get((2, 120))),
        keywords=clean_keywords(map(_text, keywords if isinstance(keywords, list) else [keywords])),
        author=_text(fields.get((2, 80)), MAX_TITLE_LENGTH),
        licence=_text(fields.get((2, 116)), MAX_TITLE_LENGTH),
        created=parse_date(_text(fields.get((2, 55)))),
    )


def _xmp(image: Image.Image) -> Description:
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or _tiff_tag(image, Base.XMLPacket)
    if not packet or len(packet) > MAX_XMP_BYTES:
        return Description()
    from defusedxml import ElementTree

    raw = packet.encode("utf-8") if isinstance(packet, str) else bytes(packet)
    end = raw.rfind(b">") + 1
    try:
        root = ElementTree.fromstring(raw[:end])
    except (ElementTree.ParseError, ValueError):
        return Description()
    dates = _values(root, "{http://ns.adobe.com/photoshop/1.0/}DateCreated")
    dates += _values(root, "{http://ns.adobe.com/xap/1.0/}CreateDate")
    return Description(
        title=clean(" ".join(_values(root, f"{_DC}title")[:1]), MAX_TITLE_LENGTH),
        description=clean(" ".join(_values(root, f"{_DC}description")[:1])),
        keywords=clean_keywords(_values(root, f"{_DC}subject")),
        author=clean(", ".join(_values(root, f"{_DC}creator")), MAX_TITLE_LENGTH),
        licence=clean(" ".join(_values(root, f"{_DC}rights")[:1]), MAX_TITLE_LENGTH),
        created=parse_date(dates[0]) if dates else None,
    )


def _tiff_tag(image: Image.Image, tag: int) -> bytes | None:
    value = image.tag_v2.get(tag) if isinstance(image, TiffImagePlugin.TiffImageFile) else None
    return value if isinstance(value, bytes) else None


def _values(root: Any, tag: str) -> list[str]:
    """The texts of a property, written as an attribute, as plain text, or as an rdf:Alt, Bag or Seq."""
    values = [node.attrib[tag] for node in root.iter() if tag in node.attrib]
    for node in root.iter(tag):
        parts = [node, *node.findall("*"), *node.findall("*/*")]  # no deeper: a thousand levels would never end
        values += [text for text in ((part.text or "").strip() for part in parts) if text]
    return values


def _text(value: object, length: int = MAX_TEXT_LENGTH) -> str:
    if not isinstance(value, bytes):
        return clean(value, length)
    try:
        return clean(value.decode("utf-8"), length)
    except UnicodeDecodeError:
        return clean(value.decode("latin-1"), length)


def _windows_text(value: object) -> str:
    raw = bytes(value) if isinstance(value, (bytes, bytearray, tuple, list)) else b""
    return raw.decode("utf-16-le", "replace").rstrip("\x00")
