from __future__ import annotations

import time
from xml.sax.saxutils import escape

import pytest

from core.ingest.metadata.embedded import embedded_description
from core.ingest.metadata.xmp import read_xmp
from core.ingest.metadata.xmp_packet import MAX_PACKET_BYTES, parse_packet
from core.records.descriptions import Description, Place
from tests.fakes.metadata_blocks import alternatives, bag, jpeg, opened, packet, segment


def described(xmp: bytes) -> Description:
    return embedded_description(opened(jpeg(xmp=xmp)))


def test_properties_are_read_as_elements_and_as_attributes() -> None:
    about = described(
        packet(
            alternatives("dc:title", x_default="Harbour")
            + bag("dc:subject", "sea", "boats")
            + bag("dc:creator", "Ada", "Zoë"),
            'photoshop:City="Lisboa" photoshop:Country="Portugal" xmp:Rating="4" xmp:Label="Green" '
            'photoshop:DateCreated="2019-07-14T10:30+02:00"',
        )
    )
    assert (about.title, about.keywords, about.author) == ("Harbour", ("sea", "boats"), "Ada, Zoë")
    assert (about.place.name, about.rating, about.label) == ("Lisboa, Portugal", 4, "Green")
    assert str(about.created) == "2019-07-14T10:30+02:00"


@pytest.mark.parametrize(
    ("texts", "title"),
    [
        ({"de": "Hafen", "x_default": "Harbour"}, "Harbour"),
        ({"x_default": " ", "de": "Hafen"}, "Hafen"),
        ({"pt": "Porto", "de": "Hafen"}, "Porto"),
        ({"X_DEFAULT": "Harbour"}, "Harbour"),
    ],
)
def test_the_default_language_comes_first_then_the_first_one(texts: dict[str, str], title: str) -> None:
    assert described(packet(alternatives("dc:title", **texts))).title == title


def test_a_value_that_stands_apart_from_its_property_is_found_by_its_name() -> None:
    apart = b'<rdf:Bag rdf:nodeID="a1"><rdf:li>sea</rdf:li></rdf:Bag><rdf:Description'
    xmp = packet('<dc:subject rdf:nodeID="a1"/><dc:rights rdf:nodeID="a2"/>').replace(b"<rdf:Description", apart, 1)
    assert described(xmp).keywords == ("sea",)


def test_hierarchies_of_every_program_are_read_and_their_leaves_are_keywords() -> None:
    about = described(
        packet(
            bag("dc:subject", "dog")
            + bag("lr:hierarchicalSubject", "Animals|Mammals|Dog", "Plain")
            + bag("digiKam:TagsList", "Places/Lisboa", "_Digikam_Internal_Tags_/Version", "dog")
            + bag("MicrosoftPhoto:LastKeywordXMP", "Animals/Mammals/Dog", "Trips/2019")
        )
    )
    assert about.keywords == ("dog", "Plain", "Lisboa", "2019")
    assert about.hierarchies == ("Animals|Mammals|Dog", "Places|Lisboa", "Trips|2019")


def test_the_categories_of_acdsee_are_hierarchies() -> None:
    categories = (
        '<Categories><Category Assigned="0">Animals<Category Assigned="1">Dog</Category></Category>'
        '<Category Assigned="1">Trips</Category></Categories>'
    )
    about = described(packet(f"<acdsee:categories>{escape(categories)}</acdsee:categories>"))
    assert (about.keywords, about.hierarchies) == (("Dog", "Trips"), ("Animals|Dog",))


def test_what_darktable_keeps_for_itself_is_no_keyword() -> None:
    about = described(
        packet(
            bag("dc:subject", "darktable", "format", "nef", "exported", "sea")
            + bag("lr:hierarchicalSubject", "darktable|format|nef", "darktable|exported", "sea")
        )
    )
    assert (about.keywords, about.hierarchies) == (("sea",), ())


def test_people_are_those_of_regions_and_of_iptc_but_not_pets() -> None:
    region = '<rdf:li rdf:parseType="Resource"><mwg-rs:Name>{}</mwg-rs:Name><mwg-rs:Type>{}</mwg-rs:Type></rdf:li>'
    attributes = '<rdf:li><rdf:Description mwg-rs:Name="Zoë" mwg-rs:Type="Face"/></rdf:li>'
    regions = region.format("Ada", "Face") + region.format("Rex", "Pet") + attributes
    about = described(
        packet(
            bag("Iptc4xmpExt:PersonInImage", "Grace")
            + '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>'
            + f"{regions}</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
        )
    )
    assert about.people == ("Grace", "Ada", "Zoë")


def test_a_location_that_is_shown_comes_before_where_the_camera_was() -> None:
    location = '<Iptc4xmpExt:Location{0}><rdf:Bag><rdf:li Iptc4xmpExt:City="{1}"/></rdf:Bag></Iptc4xmpExt:Location{0}>'
    shown, created = location.format("Shown", "Lisboa"), location.format("Created", "Almada")
    assert described(packet(created + shown)).place == Place(city="Lisboa")
    assert described(packet(created)).place == Place(city="Almada")


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("38,42.5N", "9,8.1W", (38.708333, -9.135)),
        ("38,42,30S", "9,8,6E", (-38.708333, 9.135)),
        ("38.7N", "9.1W", (38.7, -9.1)),
        ("-38.7", "9.1", (-38.7, 9.1)),
    ],
)
def test_coordinates_are_read_in_every_form(latitude: str, longitude: str, expected: tuple[float, float]) -> None:
    place = described(packet(attributes=f'exif:GPSLatitude="{latitude}" exif:GPSLongitude="{longitude}"')).place
    assert (place.latitude, place.longitude) == pytest.approx(expected)


def test_the_hemisphere_may_stand_in_a_property_of_its_own() -> None:
    gps = 'exif:GPSLatitude="38.7" exif:GPSLatitudeRef="S" exif:GPSLongitude="9,6" exif:GPSLongitudeRef="W"'
    place = described(packet(attributes=gps)).place
    assert (place.latitude, place.longitude) == pytest.approx((-38.7, -9.1))


def test_of_several_locations_the_first_counts() -> None:
    cities = "".join(f'<rdf:li Iptc4xmpExt:City="{city}"/>' for city in ("Lisboa", "Porto"))
    about = described(packet(f"<Iptc4xmpExt:LocationShown><rdf:Bag>{cities}</rdf:Bag></Iptc4xmpExt:LocationShown>"))
    assert about.place == Place(city="Lisboa")


@pytest.mark.parametrize("latitude", ["0,0N", "91,0N", "north", "38,42.5", "nanN", ""])
def test_coordinates_that_cannot_be_are_no_place(latitude: str) -> None:
    assert described(packet(attributes=f'exif:GPSLatitude="{latitude}" exif:GPSLongitude="0,0E"')).place == Place()


def test_an_altitude_may_lie_below_the_sea() -> None:
    gps = 'exif:GPSLatitude="31,30N" exif:GPSLongitude="35,28E" exif:GPSAltitude="{}" exif:GPSAltitudeRef="1"'
    assert described(packet(attributes=gps.format("4301/10"))).place.altitude == pytest.approx(-430.1)
    assert described(packet(attributes=gps.format("4301/0"))).place.altitude is None


@pytest.mark.parametrize(
    ("value", "rating"), [("-1", -1), ("0", 0), ("5.0", 5), ("6", None), ("nan", None), ("x", None)]
)
def test_a_rating_is_minus_one_to_five(value: str, rating: int | None) -> None:
    assert described(packet(attributes=f'xmp:Rating="{value}"')).rating == rating


@pytest.mark.parametrize(("percent", "rating"), [(0, 0), (1, 1), (25, 2), (50, 3), (75, 4), (99, 5), (100, 5)])
def test_windows_rates_in_percent(percent: int, rating: int) -> None:
    assert described(packet(attributes=f'MicrosoftPhoto:Rating="{percent}"')).rating == rating


TITLE = alternatives("dc:title", x_default="Café")


@pytest.mark.parametrize(
    "damaged",
    [
        packet(TITLE + "<dc:rights>bad \udcff byte</dc:rights>".encode("utf-8", "surrogateescape").decode("latin-1")),
        packet(TITLE).replace("Café".encode(), b"Caf\xe9"),
        packet(TITLE)[:-80],
        b'<?xml version="1.0" encoding="UTF-16"?>' + packet(TITLE),
        b'<?xml version="1.0" encoding="no-such"?>' + packet(TITLE),
        packet(TITLE).decode().encode("utf-16"),
        packet(TITLE).decode().lstrip("\ufeff").encode("utf-16-be"),
        packet("<dc:rights>R&D & more</dc:rights>" + TITLE),
        packet("<dc:rights>a < b</dc:rights>" + TITLE),
        packet("<dc:rights>&#0;&#xB;&nbsp;\x01</dc:rights>" + TITLE),
        packet("<dc:subject></dc:creator>" + TITLE),
        packet(TITLE).replace(b'xmlns:dc="http://purl.org/dc/elements/1.1/"', b""),
        b"\0\0  \n" + packet(TITLE) + b"\0" * 2000,
        b"<!DOCTYPE x>" + packet(TITLE),
    ],
    ids=range(14),
)
def test_of_a_damaged_packet_what_can_be_read_is_read(damaged: bytes) -> None:
    assert described(damaged).title == "Café"


@pytest.mark.parametrize("xmp", [b"<not xml", b"", b"\xff\xfe\0", b"<a/>", b"text", packet()[:100]])
def test_what_is_no_packet_says_nothing(xmp: bytes) -> None:
    assert described(xmp) == Description()


BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">%s]>' + packet(TITLE.replace("Café", "&h;"))
ENTITIES = b"".join(b'<!ENTITY %c "%s">' % (c, b"&%c;" % (c - 1) * 10) for c in b"bcdefgh")


@pytest.mark.parametrize(
    "xmp",
    [
        BOMB % ENTITIES,
        b"<a>" * 300_000 + b"</a>" * 300_000,
        packet("<dc:subject>" * 50_000 + "</dc:subject>" * 50_000),
        packet("<dc:rights/>" * 300_000),
        b"<" * MAX_PACKET_BYTES,
        b"<a:b>" * (MAX_PACKET_BYTES // 5),
        packet(attributes="".join(f'dc:a{number}="x" ' for number in range(100_000))),
        packet(TITLE) + b" " * MAX_PACKET_BYTES,
    ],
    ids=range(8),
)
def test_a_packet_made_to_cost_time_costs_none(xmp: bytes) -> None:
    began = time.process_time()
    properties = parse_packet(xmp)
    assert time.process_time() - began < 5
    assert "aaaa" not in properties.text("dc:title")


def test_long_keywords_above_many_others_are_not_repeated_for_each() -> None:
    below = '<rdf:li rdf:parseType="Resource"><mwg-kw:Keyword>k</mwg-kw:Keyword></rdf:li>' * 4_000
    entry = (
        f'<rdf:li rdf:parseType="Resource"><mwg-kw:Keyword>{"x" * 1_000_000}</mwg-kw:Keyword>'
        f"<mwg-kw:Children><rdf:Bag>{below}</rdf:Bag></mwg-kw:Children></rdf:li>"
    )
    kind = f'rdf:parseType="Resource"><mwg-kw:Hierarchy><rdf:Bag>{entry}</rdf:Bag></mwg-kw:Hierarchy></mwg-kw:Keywords>'
    digits = "1" * 3_000_000
    began = time.process_time()
    about = read_xmp(
        parse_packet(packet(f"<mwg-kw:Keywords {kind}", f'xmp:Rating="{digits}" exif:GPSLatitude="{digits}N"'))
    ).about
    assert about.hierarchies == ("x" * 80 + "|k",)
    assert time.process_time() - began < 5


GUID = b"0123456789ABCDEF0123456789ABCDEF"


def extension(data: bytes, parts: int, guid: bytes = GUID) -> list[bytes]:
    size = -(-len(data) // parts)
    head = b"http://ns.adobe.com/xmp/extension/\0" + guid + len(data).to_bytes(4, "big")
    return [segment(0xE1, head + at.to_bytes(4, "big") + data[at : at + size]) for at in range(0, len(data), size)]


def test_an_extended_packet_is_joined_by_its_guid() -> None:
    main = packet(TITLE, f'xmpNote:HasExtendedXMP="{GUID.decode()}"')
    more = packet(bag("dc:subject", "sea", "boats"))
    segments = extension(more, 3)
    about = embedded_description(
        opened(jpeg(xmp=main, segments=[*reversed(segments), *extension(packet(), 1, b"f" * 32)]))
    )
    assert (about.title, about.keywords) == ("Café", ("sea", "boats"))


def test_an_extension_that_lies_about_its_place_is_left_out() -> None:
    main = packet(TITLE, f'xmpNote:HasExtendedXMP="{GUID.decode()}"')
    head = b"http://ns.adobe.com/xmp/extension/\0" + GUID
    lie = segment(0xE1, head + b"\xff\xff\xff\xff" + b"\xff\xff\xff\x00" + packet(bag("dc:subject", "sea")))
    assert embedded_description(opened(jpeg(xmp=main, segments=[lie]))) == Description(title="Café")
