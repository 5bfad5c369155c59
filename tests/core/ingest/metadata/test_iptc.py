from __future__ import annotations

import hashlib
import io

import pytest
from PIL import Image

from core.ingest.metadata.embedded import embedded_description
from core.records.descriptions import Description, Place
from tests.fakes.metadata_blocks import UTF_8, alternatives, bag, iptc, jpeg, opened, packet, resource, segment

NEWER = resource(0x0425, bytes.fromhex("0123456789abcdef" * 2))


def described(block: bytes, xmp: bytes = b"", digest: bytes = b"") -> Description:
    return embedded_description(opened(jpeg(resources=resource(0x0404, block) + digest, xmp=xmp)))


def test_every_field_of_the_block_is_read() -> None:
    words = {
        5: "Mole",
        105: "Storm",
        120: "On the mole",
        25: "mole",
        80: "Ada",
        110: "Agency",
        116: "CC",
        101: "Portugal",
    }
    more = {90: "Lisboa", 95: "Estremadura", 92: "Alfama"}
    about = described(iptc(*((tag, text.encode()) for tag, text in (words | more).items()), (25, b"sea")))
    place = Place("Alfama", "Lisboa", "Estremadura", "Portugal")
    assert about == Description(
        "Mole", "Storm", "On the mole", ("mole", "sea"), author="Ada", credit="Agency", licence="CC", place=place
    )


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (iptc((120, b"\x93quotes\x94 \x96 dashes")), "“quotes” – dashes"),
        (UTF_8 + iptc((120, "猫 – “犬”".encode())), "猫 – “犬”"),
        (iptc((120, "Café".encode())), "Café"),
        (UTF_8 + iptc((120, b"Caf\xe9")), "Café"),
        (iptc((90, b"\x1b.B"), record=1) + iptc((120, "Łódź".encode("iso8859_2"))), "Łódź"),
        (UTF_8 + iptc((120, "é, cut off é".encode()[:-1])), "é, cut off"),
        (iptc((120, b"Boats\0\0\0  ")), "Boats"),
    ],
)
def test_texts_are_in_the_character_set_of_the_block_or_else_windows_1252(block: bytes, text: str) -> None:
    assert described(block).description == text


@pytest.mark.parametrize(
    ("date", "time", "created"),
    [
        (b"19980903", b"140500+0200", "1998-09-03T14:05:00+02:00"),
        (b"19980903", b"140500-0330", "1998-09-03T14:05:00-03:30"),
        (b"19980903", b"140500", "1998-09-03T14:05:00"),
        (b"1998-09-03", b"14:05:00+02:00", "1998-09-03T14:05:00+02:00"),
        (b"19980903", b"1405", "1998-09-03T14:05"),
        (b"19980903", b"", "1998-09-03"),
        (b"19980903", b"999999+0000", "1998-09-03"),
        (b"19740000", b"000000+0000", "1974"),
        (b"00000000", b"000000+0000", "None"),
    ],
)
def test_a_date_has_its_own_time_and_zone(date: bytes, time: bytes, created: str) -> None:
    assert str(described(iptc((55, date), (60, time))).created) == created


def test_xmp_comes_before_iptc_unless_the_digest_says_that_iptc_changed_since() -> None:
    block, xmp = (
        iptc((120, b"new"), (25, b"new")),
        packet(alternatives("dc:description", x_default="old") + bag("dc:subject", "old")),
    )
    current = resource(0x0425, hashlib.md5(block).digest())
    for digest, text in ((b"", "old"), (current, "old"), (NEWER, "new")):
        about = described(block, xmp, digest)
        assert (about.description, about.keywords) == (text, (text,))


def test_of_newer_iptc_a_text_cut_off_at_its_limit_is_completed_from_xmp() -> None:
    whole = "A word that is far too long for IPTC, which allows sixty-four bytes for each of them"
    block = iptc((25, whole[:64].encode()), (25, b"new"), (5, whole[:64].encode()))
    about = described(block, packet(bag("dc:subject", whole, "old") + alternatives("dc:title", x_default=whole)), NEWER)
    assert (about.title, about.keywords) == (whole, (whole[:79], "new"))


def test_what_newer_iptc_lacks_is_taken_from_xmp() -> None:
    about = described(iptc((5, b"new")), packet(alternatives("dc:description", x_default="old")), NEWER)
    assert (about.title, about.description) == ("new", "old")


def test_a_block_longer_than_a_segment_is_joined() -> None:
    resources = resource(0x0404, iptc(*((25, b"word %d" % number) for number in range(20)), (120, b"x" * 5000)))
    halves = (resources[:100], resources[100:])
    data = jpeg(segments=[segment(0xED, b"Photoshop 3.0\0" + half) for half in halves])
    about = embedded_description(opened(data))
    assert (len(about.keywords), about.description) == (20, "x" * 5000)


def test_a_value_longer_than_32_kilobytes_has_a_longer_length() -> None:
    text = b"y" * 40_000
    block = b"\x1c\x02\x78\x80\x04" + len(text).to_bytes(4, "big") + text + iptc((5, b"Mole"))
    about = described(block)
    assert (about.title, about.description) == ("Mole", "y" * 5000)


def test_a_tiff_has_its_block_bare_and_padded_to_words() -> None:
    block = iptc((120, b"new"))
    padded = block + b"\0" * (-len(block) % 4)
    for digest, text in ((hashlib.md5(block).digest(), "old"), (bytes(range(16)), "new")):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(
            buffer,
            "TIFF",
            tiffinfo={
                33723: padded,
                34377: resource(0x0425, digest),
                700: packet(alternatives("dc:description", x_default="old")),
            },
        )
        assert embedded_description(opened(buffer.getvalue())).description == text
