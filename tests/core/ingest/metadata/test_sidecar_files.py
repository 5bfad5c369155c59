from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from core.errors import SidecarError
from core.ingest.metadata.sidecar_files import read_sidecar_file, sidecars_of
from core.ingest.metadata.xmp_packet import MAX_PACKET_BYTES
from tests.fakes.metadata_blocks import alternatives, packet

NAMES = frozenset({"p.jpg", "p.raf", "p.xmp", "p.jpg.xmp", "P.JPG.XMP", "q.jpg", "q.Xmp", "notes.txt", ".xmp"})


def test_the_most_specific_sidecar_comes_first() -> None:
    folder = Path("/archive")
    assert [path.name for path in sidecars_of(folder / "p.jpg", NAMES)] == ["p.jpg.xmp", "P.JPG.XMP", "p.xmp"]
    assert sidecars_of(folder / "p.raf", NAMES) == [folder / "p.xmp"]
    assert sidecars_of(folder / "q.jpg", NAMES) == [folder / "q.Xmp"]
    assert sidecars_of(folder / "notes.jpg", NAMES) == []


def test_names_match_whatever_their_case_or_composition() -> None:
    name = unicodedata.normalize("NFD", "São.JPG.xmp")
    assert [path.name for path in sidecars_of(Path("são.jpg"), {name})] == [name]


def test_without_names_the_folder_is_listed(tmp_path: Path) -> None:
    (tmp_path / "p.xmp").write_bytes(packet())
    assert sidecars_of(tmp_path / "p.jpg") == [tmp_path / "p.xmp"]
    assert sidecars_of(tmp_path / "gone" / "p.jpg") == []


def test_a_folder_of_many_pictures_is_looked_through_once() -> None:
    names = frozenset(f"{number}.{suffix}" for number in range(50_000) for suffix in ("jpg", "xmp"))
    assert all(len(sidecars_of(Path(f"{number}.jpg"), names)) == 1 for number in range(0, 50_000, 10))


def test_a_sidecar_is_read_like_an_embedded_packet(tmp_path: Path) -> None:
    path = tmp_path / "p.xmp"
    path.write_bytes(
        packet(alternatives("dc:title", de="Hafen", x_default="Harbour"), 'exif:DateTimeOriginal="1998-09"')
    )
    about = read_sidecar_file(path)
    assert (about.title, str(about.created)) == ("Harbour", "1998-09")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no XMP"),
        (b"not xml at all", "holds no XMP"),
        (b"<html><body/></html>", "holds no XMP"),
        (packet() + b" " * MAX_PACKET_BYTES, "larger than 8 MiB"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_sidecar_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "p.xmp"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SidecarError, match=rf"p\.xmp .*{message}"):
        read_sidecar_file(path)
