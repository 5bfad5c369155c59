from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from PIL.ExifTags import IFD, Base

from core.ingest.metadata.cleaning import clean, clean_keywords, parse_date
from core.ingest.metadata.embedded import embedded_description
from core.records.descriptions import Description

XMP = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 photoshop:DateCreated="2019-07-14T10:30:00+02:00">
<dc:title><rdf:Alt><rdf:li xml:lang="x-default">Harbour at dawn</rdf:li></rdf:Alt></dc:title>
<dc:subject><rdf:Bag><rdf:li>harbour</rdf:li><rdf:li>boats</rdf:li></rdf:Bag></dc:subject>
<dc:creator><rdf:Seq><rdf:li>A. Archive</rdf:li></rdf:Seq></dc:creator>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def reopened(image_format: str, **options: object) -> Image.Image:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, image_format, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


def test_exif_gives_description_author_rights_and_date() -> None:
    exif = Image.Exif()
    exif[Base.ImageDescription] = "Boats in the harbour"
    exif[Base.Artist] = "B. Camera"
    exif[Base.Copyright] = "CC BY 4.0"
    exif[Base.XPTitle] = "Boats".encode("utf-16-le")
    exif[Base.XPKeywords] = "boat;sea".encode("utf-16-le")
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = "2020:02:03 04:05:06"
    assert embedded_description(reopened("JPEG", exif=exif)) == Description(
        "Boats",
        "Boats in the harbour",
        ("boat", "sea"),
        "B. Camera",
        "CC BY 4.0",
        datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC),
    )


def xmp_options(image_format: str, exif: Image.Exif) -> dict[str, object]:
    if image_format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", XMP.decode())
        return {"pnginfo": chunks}
    if image_format == "TIFF":
        exif[Base.XMLPacket] = XMP
        return {}
    return {"xmp": XMP}


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_xmp_is_read_and_wins_over_exif(image_format: str) -> None:
    exif = Image.Exif()
    exif[Base.Artist] = "B. Camera"
    about = embedded_description(reopened(image_format, exif=exif, **xmp_options(image_format, exif)))
    assert (about.title, about.keywords, about.author) == ("Harbour at dawn", ("harbour", "boats"), "A. Archive")
    assert about.created_at == datetime(2019, 7, 14, 8, 30, tzinfo=UTC)


def iptc_block(records: list[tuple[int, bytes]]) -> bytes:
    data = b"".join(b"\x1c\x02" + bytes([tag]) + len(v).to_bytes(2, "big") + v for tag, v in records)
    resource = b"8BIM\x04\x04\x00\x00" + len(data).to_bytes(4, "big") + data + b"\x00" * (len(data) % 2)
    body = b"Photoshop 3.0\x00" + resource
    return b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body


def test_iptc_gives_title_caption_keywords_and_byline() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG")
    jpeg = buffer.getvalue()
    records = [
        (5, b"Mole"),
        (120, "Café on the mole".encode()),
        (25, b"mole"),
        (25, b"caf\xe9"),
        (80, b"C. Byline"),
        (55, b"20180930"),
    ]
    about = embedded_description(Image.open(io.BytesIO(jpeg[:2] + iptc_block(records) + jpeg[2:])))
    assert about == Description(
        "Mole", "Café on the mole", ("mole", "café"), "C. Byline", "", datetime(2018, 9, 30, tzinfo=UTC)
    )


@pytest.mark.parametrize("xmp", [b"<not xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"\xff\xfe\x00", b"<a/>"])
def test_damaged_metadata_does_not_cost_the_picture(xmp: bytes) -> None:
    assert embedded_description(reopened("WEBP", xmp=xmp)) == Description()


def test_text_from_outside_loses_control_characters_and_direction_marks() -> None:
    assert clean("a\x00b\nc\u202edrow\ud800 ", 100) == "a b c drow"
    assert clean(None) == ""
    assert clean("x" * 20, 5) == "xxxxx"


def test_keywords_appear_once_whatever_their_case() -> None:
    assert clean_keywords(["Sea", " sea ", "", "boat", "SEA"]) == ("Sea", "boat")


@given(st.text())
def test_cleaned_text_can_always_be_stored(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.encode("utf-8").decode("utf-8") == clean(cleaned)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020:02:03 04:05:06", datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("2020-02-03T04:05:06Z", datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)),
        ("2020-02-03 04:05:06+01:00", datetime(2020, 2, 3, 3, 5, 6, tzinfo=UTC)),
        ("2020-02-03", datetime(2020, 2, 3, tzinfo=UTC)),
        ("1987", datetime(1987, 1, 1, tzinfo=UTC)),
        ("0000:00:00 00:00:00", None),
        ("yesterday", None),
        ("", None),
        ("9999-12-31", None),
    ],
)
def test_dates_are_read_as_cameras_and_people_write_them(text: str, expected: datetime | None) -> None:
    assert parse_date(text) == expected
