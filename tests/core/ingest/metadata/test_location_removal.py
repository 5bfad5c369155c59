from __future__ import annotations

import io
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from core.embedding import images
from core.embedding.formats import HEIC_INSTALLED
from core.ingest.metadata.embedded import embedded_description
from core.ingest.metadata.location_removal import without_location
from tests.fakes.exiftool import ExifTool
from tests.fakes.metadata_blocks import packet
from tests.fakes.odd_pictures import every_kind, mutated

FORMATS = ["jpg", "png", "webp", "tif", "gif", "avif", *(["heic"] if HEIC_INSTALLED else [])]
GPS = [
    *("-EXIF:GPSLatitude=38.7", "-EXIF:GPSLatitudeRef=N", "-EXIF:GPSLongitude=9.1", "-EXIF:GPSLongitudeRef=W"),
    *("-EXIF:GPSAltitude=12", "-EXIF:GPSProcessingMethod=GPS", "-EXIF:GPSDateStamp=1998:09:03"),
    *("-XMP-exif:GPSLatitude=38.7", "-XMP-exif:GPSLongitude=-9.1", "-XMP-iptcExt:LocationShownGPSLatitude=38.7"),
    *("-XMP-iptcExt:LocationCreatedGPSLongitude=-9.1",),
]
WORDS = [
    *("-EXIF:Artist=Ada", "-EXIF:Copyright=free", "-EXIF:Make=NIKON", "-EXIF:ExposureTime=1/250"),
    *("-XMP-dc:Title=Harbour", "-XMP-dc:Subject=Boat", "-XMP-photoshop:City=Lisbon", "-IPTC:City=Lisbon"),
    "-XMP-iptcExt:LocationShownCity=Lisbon",
]
# A latitude of 38.7, and nothing else, as it is stored or written.
TRACES = [struct.pack(f"{order}II", 38, 1) for order in "<>"] + [b"38,42", b"38.7"]


def is_location(tag: str, value: Any) -> bool:
    return "GPS" in tag or (isinstance(value, (dict, list)) and "GPS" in str(value))


def about_the_file(tag: str) -> bool:
    return tag.startswith(("System:", "SourceFile", "ExifTool:"))


def described(tags: dict[str, Any]) -> dict[str, Any]:
    return {tag: value for tag, value in tags.items() if not is_location(tag, value) and not about_the_file(tag)}


def gradient() -> Image.Image:
    return Image.radial_gradient("L").resize((64, 48)).convert("RGB")


def encoded(image_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    gradient().save(buffer, image_format, **options)
    return buffer.getvalue()


def has_gps(data: bytes) -> bool:
    return embedded_description(images.open_image(data, "p")).place.has_gps


def test_coordinates_go_and_pixels_and_words_stay_in_every_format(tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    after.mkdir()
    paths = [before / f"p.{suffix}" for suffix in FORMATS]
    for path in paths:
        gradient().save(path)
    ExifTool().write({path: [*GPS, *WORDS] for path in paths})
    for path in paths:
        cleared = without_location(path.read_bytes(), path.name)
        assert cleared is not None, path.name
        (after / path.name).write_bytes(cleared)
        assert Image.open(after / path.name).convert("RGB").tobytes() == Image.open(path).convert("RGB").tobytes()
        assert not any(trace in cleared for trace in TRACES), path.name
    written, read = ExifTool().read(before), ExifTool().read(after)
    for path in paths:
        assert any(is_location(*item) for item in written[path.name].items()), path.name
        assert not [tag for tag, value in read[path.name].items() if is_location(tag, value) and value], path.name
        expected, found = described(written[path.name]), described(read[path.name])
        assert {tag: found.get(tag) for tag in expected} == expected, path.name
        assert not [tag for tag in read[path.name] if tag.endswith("Warning")], path.name


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_a_picture_without_coordinates_is_given_as_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"p.{suffix}"
    gradient().save(path)
    ExifTool().write({path: WORDS})
    data = path.read_bytes()
    assert without_location(data, path.name) is data


def test_compressed_texts_and_profiles_of_png_are_cleared() -> None:
    xmp = packet("<exif:GPSLatitude>38,42N</exif:GPSLatitude><exif:GPSLongitude>9,6W</exif:GPSLongitude>")
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=True)
    info.add_text("exif:GPSLatitude", "38/1", zip=False)
    info.add_text("Raw profile type xmp", f"\nxmp\n{len(xmp):8}\n{xmp.hex()}\n", zip=True)
    info.add_text("Title", "Harbour", zip=True)
    data = encoded("PNG", pnginfo=info)
    assert has_gps(data)
    cleared = without_location(data, "p.png")
    assert cleared is not None
    opened = Image.open(io.BytesIO(cleared))
    opened.load()
    assert sorted(opened.info) == ["Title", "XML:com.adobe.xmp", "xmp"]
    assert not has_gps(cleared)


def test_attributes_other_prefixes_and_makers_of_drones_are_known() -> None:
    xmp = packet(
        '<e:GPSLongitude xmlns:e="http://ns.adobe.com/exif/1.0/">9,6W</e:GPSLongitude>',
        'exif:GPSLatitude="38,42N" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" '
        "drone-dji:GpsLongtitude='9.1' drone-dji:RelativeAltitude='+3' photoshop:City=\"Lisbon\"",
    )
    cleared = without_location(encoded("JPEG", xmp=xmp), "p.jpg")
    assert cleared is not None
    assert b"38,42N" not in cleared
    assert b"9.1" not in cleared
    assert b"9,6W" not in cleared
    assert b"RelativeAltitude='+3'" in cleared
    assert embedded_description(images.open_image(cleared, "p")).place.city == "Lisbon"


def test_where_a_geotiff_lies_is_cleared() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[33922], tags.tagtype[33922] = (0.0, 0.0, 0.0, -9.1, 38.7, 0.0), 12
    tags[34737], tags.tagtype[34737] = "WGS 84", 2
    cleared = without_location(encoded("TIFF", tiffinfo=tags), "p.tif")
    assert cleared is not None
    opened = Image.open(io.BytesIO(cleared))
    assert isinstance(opened, TiffImagePlugin.TiffImageFile)
    assert not {33922, 34737} & set(opened.tag_v2)
    assert opened.tobytes() == gradient().tobytes()
    assert struct.pack("<d", 38.7) not in cleared


def test_a_format_whose_coordinates_cannot_be_removed_with_certainty_is_refused() -> None:
    tiff = encoded("TIFF")
    assert without_location(tiff, "p.NEF") is None
    assert without_location(b"II+\0" + tiff[4:], "p.tif") is None
    assert without_location(encoded("JPEG2000"), "p.jp2") is None
    assert without_location(b"no picture", "p.jpg") is None
    utf_16 = packet(attributes='exif:GPSLatitude="38,42N" exif:GPSLongitude="9,6W"').decode().encode("utf-16")
    data = encoded("WEBP", xmp=utf_16)
    assert has_gps(data)
    assert without_location(data, "p.webp") is None


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_are_cleared_or_refused() -> None:
    rng, kinds = random.Random(16), list(every_kind().values())
    gps = Image.Exif()
    gps.get_ifd(0x8825).update({1: "N", 2: (38.0, 42.0, 0.0), 3: "W", 4: (9.0, 6.0, 0.0)})
    sources = [encoded(name, exif=gps) for name in ("JPEG", "PNG", "WEBP", "TIFF")]
    cleared = 0
    for number in range(600):
        data = mutated(sources[number % 4] if number % 2 else kinds[number % len(kinds)], kinds, rng)
        result = without_location(data, "p.jpg")
        cleared += result is not None
        assert result is None or not has_gps(result)
    assert cleared > 50
