from __future__ import annotations

from PIL import Image
from PIL.ExifTags import Base

from core.ingest.metadata.embedded import embedded_description
from core.records.descriptions import Description
from tests.fakes.metadata_blocks import alternatives, iptc, opened, packet, png, resource


def raw_profile(name: str, data: bytes) -> dict[str, str]:
    """A profile as ImageMagick keeps it in a text."""
    return {f"Raw_profile_type_{name}": f"\n{name}\n{len(data):8}\n{data.hex()}\n"}


def test_the_texts_of_the_specification_are_read() -> None:
    about = embedded_description(
        opened(
            png(
                Title="Harbour",
                Author="Zoë",
                Description="Boats",
                Copyright="CC0",
                Comment="Created with GIMP",
                Creation_Time="Sun, 14 Jul 2019 10:30:00 +0200",
            )
        )
    )
    assert (about.title, about.description, about.author, about.licence) == ("Harbour", "Boats", "Zoë", "CC0")
    assert str(about.created) == "2019-07-14T10:30:00+02:00"


def test_a_comment_is_a_description_unless_a_program_wrote_it() -> None:
    assert embedded_description(opened(png(Comment="Two boats"))).description == "Two boats"
    assert embedded_description(opened(png(Comment="Created with GIMP"))) == Description()


def test_xmp_comes_before_the_texts() -> None:
    xmp = packet(alternatives("dc:title", x_default="Harbour")).decode()
    about = embedded_description(opened(png(Title="Untitled", Author="Ada", **{"XML:com.adobe.xmp": xmp})))
    assert (about.title, about.author) == ("Harbour", "Ada")


def test_profiles_in_texts_are_read() -> None:
    block = resource(0x0404, iptc((5, b"Mole")))
    for name, data in (("iptc", block), ("8bim", block), ("xmp", packet(alternatives("dc:title", x_default="Mole")))):
        assert embedded_description(opened(png(**raw_profile(name, data)))).title == "Mole"


def test_the_older_profiles_of_imagemagick_hold_exif_or_xmp() -> None:
    exif = Image.Exif()
    exif[Base.Artist] = "Ada"
    assert embedded_description(opened(png(**raw_profile("APP1", exif.tobytes())))).author == "Ada"
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + packet(alternatives("dc:title", x_default="Mole"))
    assert embedded_description(opened(png(**raw_profile("APP1", xmp)))).title == "Mole"


def test_a_damaged_profile_says_nothing() -> None:
    assert embedded_description(opened(png(Raw_profile_type_iptc="\niptc\n 4\nxyz"))) == Description()


def test_what_stands_behind_the_pixels_is_read_as_well() -> None:
    xmp = packet(alternatives("dc:title", x_default="Harbour")).decode()
    plain, titled = png(), png(**{"XML:com.adobe.xmp": xmp})
    start, end = titled.index(b"iTXt") - 4, plain.index(b"IEND") - 4
    text = titled[start : start + len(titled) - len(plain)]
    assert embedded_description(opened(plain[:end] + text + plain[end:])).title == "Harbour"
