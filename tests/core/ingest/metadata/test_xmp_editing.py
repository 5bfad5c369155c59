from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from core.errors import SidecarError
from core.ingest.metadata.sidecar_files import read_sidecar_file
from core.ingest.metadata.xmp_editing import keywords_in, with_keywords
from core.ingest.metadata.xmp_packet import MAX_PACKET_BYTES
from tests.fakes.exiftool import ExifTool
from tests.fakes.metadata_blocks import bag, packet
from tests.fakes.odd_pictures import mutated
from tests.fakes.sidecars import DARKTABLE, DIGIKAM, LIGHTROOM, SHAPES

NAME, PATH = "Harbour & quay <old>", "Clusters|Harbour & quay <old>"
KEYWORD_TAGS = ("XMP-dc:Subject", "XMP-lr:HierarchicalSubject", "XMP-digiKam:TagsList", "Composite:Keywords")
KEYWORD_TAGS += ("XMP-microsoft:LastKeywordXMP", "MWG:Keywords", "Composite:HierarchicalKeywords")


def listed(value: Any) -> list[str]:
    return list(map(str, value)) if isinstance(value, list) else [str(value)]


def kept(tags: dict[str, Any]) -> dict[str, Any]:
    """What exiftool reads in a file, apart from the keywords and the file's size and times."""
    return {name: value for name, value in tags.items() if name not in KEYWORD_TAGS and "System:" not in name}


@pytest.mark.parametrize("shape", SHAPES)
def test_exiftool_reads_the_new_keywords_and_everything_else_as_before(tmp_path: Path, shape: str) -> None:
    (tmp_path / "before.xmp").write_bytes(SHAPES[shape])
    edited = with_keywords(SHAPES[shape], [NAME, "Boat"], [PATH])
    (tmp_path / "after.xmp").write_bytes(edited.content)
    tags = ExifTool().read(tmp_path)
    before, after = tags["before.xmp"], tags["after.xmp"]
    assert {k: v for k, v in kept(after).items() if k != "SourceFile"} == {
        k: v for k, v in kept(before).items() if k != "SourceFile"
    }
    old = listed(before.get("XMP-dc:Subject", []))
    assert listed(after["XMP-dc:Subject"]) == [*old, NAME, *(["Boat"] if "Boat" not in old else [])]
    assert listed(after["XMP-lr:HierarchicalSubject"])[-1] == PATH
    assert with_keywords(edited.content, [NAME, "boat"], [PATH]).content == edited.content


@pytest.mark.parametrize("shape", SHAPES)
def test_every_byte_of_other_programs_stays_in_its_order(shape: str) -> None:
    edited = with_keywords(SHAPES[shape], [NAME], [PATH]).content
    rest = iter(edited)
    opened = SHAPES[shape].replace(b"/>", b">")  # an element without content gets an end tag
    assert all(byte in rest for byte in opened)


def test_the_lists_of_digikam_and_windows_are_kept_up_where_they_exist(tmp_path: Path) -> None:
    (tmp_path / "p.xmp").write_bytes(with_keywords(DIGIKAM, [NAME], ["Clusters|a/b"]).content)
    tags = ExifTool().read(tmp_path)["p.xmp"]
    assert listed(tags["XMP-digiKam:TagsList"])[-1] == "Clusters/a-b"
    assert listed(tags["XMP-microsoft:LastKeywordXMP"])[-1] == "Clusters/a-b"
    assert "digiKam" not in with_keywords(LIGHTROOM, [NAME], [PATH]).content.decode()


def test_a_new_file_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "p.jpg.xmp"
    path.write_bytes(with_keywords(None, ["Café", "東京", NAME], [PATH, "Places|Asia"]).content)
    about = read_sidecar_file(path)
    assert set(about.keywords) == {"Café", "東京", NAME, "Asia"}
    assert about.hierarchies == (PATH, "Places|Asia")
    assert listed(ExifTool().read(tmp_path)["p.jpg.xmp"]["XMP-dc:Subject"]) == ["Café", "東京", NAME]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
def test_a_file_stays_in_its_encoding(encoding: str) -> None:
    before = ("\ufeff" + DARKTABLE.decode()).encode(encoding)
    after = with_keywords(before, ["東京"], []).content.decode(encoding)
    assert after.replace(" <rdf:li>東京</rdf:li>\n    ", "") == before.decode(encoding) != after


def test_keywords_are_the_same_in_any_case_and_composition() -> None:
    content = packet(bag("dc:subject", "São Paulo"))
    assert with_keywords(content, ["sa\u0303o paulo"], []).content == content
    assert with_keywords(content, ["Rio", "rio"], []).added == ("Rio",)


def test_other_prefixes_and_empty_properties_are_understood(tmp_path: Path) -> None:
    rdf, dc = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", "http://purl.org/dc/elements/1.1/"
    forms = [
        "<r:RDF {}/>",
        '<r:RDF {}><r:Description r:about=""><d:subject/></r:Description></r:RDF>',
        "<r:RDF {}><r:Description><d:subject><r:Bag/></d:subject></r:Description></r:RDF>",
        '<r:RDF {}><r:Description r:about=" / > "><d:subject></d:subject></r:Description></r:RDF>',
    ]
    for number, form in enumerate(forms):
        declared = form.format(f'xmlns:r="{rdf}" xmlns:d="{dc}"')
        content = f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{declared}</x:xmpmeta>'.encode()
        (tmp_path / f"{number}.xmp").write_bytes(with_keywords(content, ["Harbour"], []).content)
    assert {name: tags["XMP-dc:Subject"] for name, tags in ExifTool().read(tmp_path).items()} == {
        f"{number}.xmp": ["Harbour"] for number in range(len(forms))
    }
    default = f'<RDF xmlns="{rdf}"><Description about=""/></RDF>'.encode()
    assert keywords_in(with_keywords(default, ["Harbour"], []).content) == ("Harbour",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b"not xml", "damaged"),
        (b"<html/>", "holds no XMP"),
        (packet()[:-60], "damaged"),
        (packet().replace(b"<rdf:RDF", b"<b:RDF", 1), "damaged"),
        (packet("<dc:subject>one</dc:subject>"), "not understood"),
        (packet("<dc:subject rdf:resource='x'/>"), "not understood"),
        (packet(attributes='dc:subject="one"'), "attribute"),
        (packet("<dc:subject><rdf:Bag/><rdf:Bag/></dc:subject>"), "not understood"),
        (b"<two>" + 2 * packet().replace(b"<?xpacket", b"<?p") + b"</two>", "more than one"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + packet(), "document type"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + packet(), "ISO-8859-1"),
        (b"\xff\xfe" + b"<\0x", "UTF-16"),
        (packet() + b" " * MAX_PACKET_BYTES, "larger than 8 MiB"),
    ],
)
def test_what_is_not_understood_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(SidecarError, match=message):
        with_keywords(content, ["Harbour"], ["Clusters|Harbour"])


def test_a_damaged_file_is_refused_or_keeps_its_bytes() -> None:
    rng, shapes, written = random.Random(5), list(SHAPES.values()), 0
    for _ in range(400):
        content = mutated(rng.choice(shapes), shapes, rng)
        try:
            edited = with_keywords(content, [NAME], [PATH]).content
        except SidecarError:
            continue
        written += 1
        assert NAME in keywords_in(edited)
        rest = iter(edited)
        assert all(byte in rest for byte in content.replace(b"/>", b">"))
    assert written > 20
