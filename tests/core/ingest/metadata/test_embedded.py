from __future__ import annotations

import io

import pytest
from PIL import Image, PngImagePlugin
from PIL.ExifTags import IFD, Base

from core.ingest.metadata.embedded import embedded_description
from core.records.descriptions import Description
from tests.fakes.metadata_blocks import alternatives, bag, iptc, jpeg, opened, packet, resource

XMP = packet(
    alternatives("dc:title", x_default="Harbour") + bag("dc:subject", "sea"), 'xmp:CreateDate="2021-01-01T10:00:00"'
)


def exif(**tags: object) -> Image.Exif:
    block = Image.Exif()
    for name, value in tags.items():
        (block if name in ("Artist", "ImageDescription", "DateTime") else block.get_ifd(IFD.Exif))[Base[name]] = value
    return block


def saved(image_format: str, block: Image.Exif) -> bytes:
    options: dict[str, object] = {"xmp": XMP}
    if image_format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt("XML:com.adobe.xmp", XMP.decode())
        options = {"pnginfo": chunks}
    if image_format == "TIFF":
        block[Base.XMLPacket] = XMP
        options = {}
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, image_format, exif=block, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_and_xmp_are_read_in_every_format_before_and_after_the_pixels(image_format: str, loaded: bool) -> None:
    image = opened(saved(image_format, exif(Artist="Ada")))
    if loaded:
        image.load()
    about = embedded_description(image)
    assert (about.title, about.keywords, about.author) == ("Harbour", ("sea",), "Ada")


@pytest.mark.parametrize("loaded", [False, True])
def test_the_packet_of_a_gif_is_read(loaded: bool) -> None:
    buffer = io.BytesIO()
    Image.new("P", (8, 8)).save(buffer, "GIF", comment=b"Two boats")
    raw = buffer.getvalue()
    block = b"!\xff\x0bXMP DataXMP" + XMP + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    image = opened(raw[:-1] + block + raw[-1:])
    if loaded:
        image.load()
    about = embedded_description(image)
    assert (about.title, about.description) == ("Harbour", "Two boats")


@pytest.mark.parametrize(
    ("tags", "xmp", "created"),
    [
        ({"DateTimeOriginal": "1974:01:02 03:04:05"}, 'xmp:CreateDate="2021-01-01"', "1974-01-02T03:04:05"),
        ({"DateTimeDigitized": "2021:01:02 03:04:05"}, 'photoshop:DateCreated="1974"', "1974"),
        ({"DateTimeOriginal": "0000:00:00 00:00:00"}, 'xmp:CreateDate="2021-01-01"', "2021-01-01"),
        ({"DateTime": "2022:01:02 03:04:05"}, 'xmp:CreateDate="2021-01-01"', "2021-01-01"),
        ({"DateTime": "2022:01:02 03:04:05"}, 'xmp:ModifyDate="2021-01-01"', "2022-01-02T03:04:05"),
        ({}, 'xmp:ModifyDate="2021-01-01"', "2021-01-01"),
        ({}, 'exif:DateTimeOriginal="1999-01-01T10:00:00Z"', "1999-01-01T10:00:00+00:00"),
    ],
)
def test_when_it_was_taken_comes_before_when_it_was_digitised_and_changed(
    tags: dict[str, object], xmp: str, created: str
) -> None:
    data = jpeg(exif=exif(**tags), xmp=packet(attributes=xmp))
    assert str(embedded_description(opened(data)).created) == created


def test_a_camera_s_words_give_way_to_a_person_s() -> None:
    block = exif(ImageDescription="OLYMPUS DIGITAL CAMERA")
    data = jpeg(exif=block, xmp=packet(alternatives("dc:description", x_default="Boats")))
    assert embedded_description(opened(data)).description == "Boats"


def test_the_comment_of_a_jpeg_is_a_description() -> None:
    assert embedded_description(opened(jpeg(comment=b"Caf\xe9 at dawn"))).description == "Café at dawn"
    assert embedded_description(opened(jpeg(comment=b"LEAD Technologies Inc. V1.01"))) == Description()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damage_to_one_standard_costs_nothing_of_the_others() -> None:
    block = resource(0x0404, iptc((105, b"Storm")))
    data = jpeg(exif=b"Exif\0\0II*\0\xff\xff\xff\xff", xmp=XMP, resources=block)
    about = embedded_description(opened(data))
    assert (about.title, about.headline) == ("Harbour", "Storm")
