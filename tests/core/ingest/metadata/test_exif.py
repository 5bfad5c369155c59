from __future__ import annotations

import struct

import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.TiffImagePlugin import IFDRational

from core.ingest.metadata.embedded import embedded_description
from core.ingest.metadata.exif import camera_name
from core.records.descriptions import Description, Place
from tests.fakes.metadata_blocks import jpeg, opened


def described(
    tags: dict[int, object], detail: dict[int, object] | None = None, gps: dict[int, object] | None = None
) -> Description:
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    exif.get_ifd(IFD.Exif).update(detail or {})
    exif.get_ifd(IFD.GPSInfo).update(gps or {})
    return embedded_description(opened(jpeg(exif=exif)))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_texts_are_utf_8_or_else_latin_1(encoding: str) -> None:
    assert described({Base.Artist: "Café Zoë".encode(encoding)}).author == "Café Zoë"


def test_texts_end_at_a_nul_and_lose_their_blanks() -> None:
    about = described({Base.ImageDescription: b"Boats   \0\xff\xfe", Base.Artist: b"   ", Base.Copyright: b"CC\0Ada\0"})
    assert (about.description, about.author, about.licence) == ("Boats", "", "CC Ada")


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_type_of_exif_3_for_texts_in_utf_8_is_read(order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[Base.Artist] = "Café Zoë".encode()
    exif.get_ifd(IFD.Exif).update({Base.DateTimeOriginal: "2019:07:14 10:30:00", Base.LensModel: "50 mm"})
    block = exif.tobytes()
    for tag in (Base.Artist, Base.LensModel):
        block = block.replace(struct.pack(f"{order}HH", tag, 2), struct.pack(f"{order}HH", tag, 129))
    about = embedded_description(opened(jpeg(exif=block)))
    assert (about.author, about.lens, str(about.created)) == ("Café Zoë", "50 mm", "2019-07-14T10:30:00")


def test_windows_fields_fill_what_is_missing() -> None:
    words = {Base.XPTitle: "Boats", Base.XPKeywords: "boat;sea", Base.XPAuthor: "Ada;Zoë", Base.XPComment: "Two boats"}
    about = described({tag: text.encode("utf-16-le") for tag, text in words.items()} | {0x4749: 75})
    assert about == Description("Boats", "", "Two boats", ("boat", "sea"), author="Ada, Zoë", rating=4)


def test_several_artists_are_separated_as_the_mwg_writes_them() -> None:
    assert described({Base.Artist: 'Ada; "Bell; Sons"; Zoë'.encode()}).author == "Ada, Bell; Sons, Zoë"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"ASCII\0\0\0Two boats\0", "Two boats"),
        (b"UNICODE\0" + "猫と犬".encode("utf-16-be"), "猫と犬"),
        (b"UNICODE\0" + "Two boats".encode("utf-16-le"), "Two boats"),
        (b"JIS\0\0\0\0\0" + "猫".encode("iso2022_jp"), "猫"),
        (b"\0\0\0\0\0\0\0\0Caf\xc3\xa9", "Café"),
        (b"ASCII\0\0\0          ", ""),
        (b"ASC", "ASC"),
    ],
)
def test_a_comment_is_read_by_its_character_code(raw: bytes, text: str) -> None:
    assert described({}, {Base.UserComment: raw}).description == text


@pytest.mark.parametrize(
    ("tags", "detail", "created"),
    [
        ({}, {Base.DateTimeOriginal: "2019:07:14 10:30:00", 0x9011: "+05:30"}, "2019-07-14T10:30:00+05:30"),
        ({}, {Base.DateTimeOriginal: "2019:07:14 10:30:00+05:30"}, "2019-07-14T10:30:00+05:30"),
        ({}, {Base.DateTimeOriginal: "2019:07:14 10:30:00", 0x9010: "+05:30"}, "2019-07-14T10:30:00"),
        (
            {},
            {Base.DateTimeOriginal: "1974:01:02 00:00:00", Base.DateTimeDigitized: "2021:01:01 10:00:00"},
            "1974-01-02T00:00:00",
        ),
        (
            {},
            {Base.DateTimeOriginal: "0000:00:00 00:00:00", Base.DateTimeDigitized: "2021:01:01 10:00:00"},
            "2021-01-01T10:00:00",
        ),
        ({Base.DateTime: "1999:01:01 10:00:00"}, {}, "1999-01-01T10:00:00"),
        (
            {Base.DateTime: "1999:01:01 10:00:00"},
            {Base.DateTimeOriginal: "    :  :     :  :  "},
            "1999-01-01T10:00:00",
        ),
        ({}, {Base.DateTimeOriginal: "1921:00:00 00:00:00"}, "1921"),
        ({}, {Base.DateTimeOriginal: "0000:00:00 00:00:00"}, "None"),
    ],
)
def test_the_first_valid_time_counts_with_its_offset(
    tags: dict[int, object], detail: dict[int, object], created: str
) -> None:
    assert str(described(tags, detail).created) == created


LISBON: dict[int, object] = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (38.0, 42.0, 30.0),
    GPS.GPSLongitudeRef: "W",
    GPS.GPSLongitude: (9.0, 8.0, 6.0),
    GPS.GPSAltitudeRef: b"\0",
    GPS.GPSAltitude: 12.5,
}


def test_coordinates_are_signed_degrees_and_metres() -> None:
    place = described({}, gps=LISBON).place
    assert (place.latitude, place.longitude, place.altitude) == pytest.approx((38.708333, -9.135, 12.5))
    below = described({}, gps=LISBON | {GPS.GPSAltitudeRef: b"\1"}).place
    assert below.altitude == pytest.approx(-12.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {GPS.GPSLatitude: (0.0, 0.0, 0.0), GPS.GPSLongitude: (0.0, 0.0, 0.0), GPS.GPSStatus: "V"},
        {GPS.GPSLatitude: (IFDRational(0, 0), IFDRational(0, 0), IFDRational(0, 0))},
        {GPS.GPSLatitude: (91.0, 0.0, 0.0)},
        {GPS.GPSLongitude: (180.0, 0.0, 1.0)},
        {GPS.GPSLatitudeRef: ""},
        {GPS.GPSLongitudeRef: "N"},
    ],
)
def test_coordinates_that_cannot_be_are_no_place(wrong: dict[int, object]) -> None:
    assert described({}, gps=LISBON | wrong).place == Place()


def test_a_void_status_beside_a_position_is_the_last_one_known() -> None:
    assert described({}, gps=LISBON | {GPS.GPSStatus: "V"}).place.has_gps


def test_an_altitude_that_cannot_be_costs_no_coordinates() -> None:
    place = described({}, gps=LISBON | {GPS.GPSAltitude: IFDRational(1, 0)}).place
    assert (place.has_gps, place.altitude) == (True, None)


@pytest.mark.parametrize(
    ("make", "model", "name"),
    [
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("SONY", "DSC-R1", "SONY DSC-R1"),
        ("EASTMAN KODAK COMPANY", "KODAK DX4900 ZOOM", "KODAK DX4900 ZOOM"),
        ("LG Electronics", "LG-H870", "LG-H870"),
        ("Apple", "", "Apple"),
        ("", "iPhone 12", "iPhone 12"),
        ("", "", ""),
    ],
)
def test_a_camera_has_its_make_once(make: str, model: str, name: str) -> None:
    assert camera_name(make, model) == name
