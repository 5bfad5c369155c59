from __future__ import annotations

import csv
import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.access import OPERATOR, Person
from core.app import App
from core.errors import ClusterError, ContactSheetError, NotAllowed
from core.library import picture_export
from core.library.export_names import UniqueNames, safe_name
from core.records.exports import ExportOptions, ExportReport, PictureSelection
from core.settings import Settings
from core.store.lance.collections import Collections
from tests.fakes.encoder import ColourEncoder
from tests.fakes.exiftool import ExifTool
from tests.fakes.named_clusters import ids_of, publish_named
from tests.fakes.painted import paint

ADA, EVE = Person("Ada", over_loopback=True, visitor="127.0.0.1"), Person("Eve", visitor="192.0.2.9")
RED, BLUE = [f"red_{number}.png" for number in range(3)], [f"blue_{number}.png" for number in range(2)]
LISBON = ["-GPSLatitude=38.7", "-GPSLatitudeRef=N", "-GPSLongitude=9.1", "-GPSLongitudeRef=W", "-Artist=Ada"]


@pytest.fixture
def archive(tmp_path: Path, app: App) -> Path:
    """A folder with three red pictures, in the cluster ‘Harbour’, and two blue ones, in ‘=1+1/sea’."""
    folder = tmp_path / "archive"
    paint(folder, "red", 3)
    paint(folder, "blue", 2)
    app.ingest(folder, "c")
    publish_named(app, {"Harbour": RED, "=1+1/sea": BLUE})
    return folder


def manifest(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def unzipped(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def written(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def outcomes(report: ExportReport) -> dict[str, str]:
    return {picture.file: picture.outcome for picture in report.pictures}


# -- ZIP files ----------------------------------------------------------------------------------------------------


def test_all_clusters_go_into_a_zip_with_a_folder_for_each_and_a_list(archive: Path, app: App, tmp_path: Path) -> None:
    report = app.exports.export(OPERATOR, "c", tmp_path / "out.zip")
    found = unzipped(tmp_path / "out.zip")
    rows = manifest(found.pop("manifest.csv"))
    assert set(found) == {*(f"Harbour/{name}" for name in RED), *(f"=1+1_sea/{name}" for name in BLUE)}
    assert all(content == (archive / Path(name).name).read_bytes() for name, content in found.items())
    assert {row["cluster"] for row in rows} == {"Harbour", "'=1+1/sea"}
    assert {row["file"].lstrip("'") for row in rows} == set(found) == set(outcomes(report))
    assert "latitude" not in rows[0]


def test_pictures_are_stored_as_they_are_and_tiffs_are_compressed(tmp_path: Path, app: App) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    for name in ("a.jpg", "b.tif"):
        Image.new("RGB", (64, 64), "red" if name == "a.jpg" else "blue").save(folder / name)
    app.ingest(folder, "c")
    path, _ = app.exports.zip(ADA, "c", list(app.titles("c")))
    with zipfile.ZipFile(path) as archive:
        kinds = {info.filename: info.compress_type for info in archive.infolist()}
    assert kinds == {
        "a.jpg": zipfile.ZIP_STORED,
        "b.tif": zipfile.ZIP_DEFLATED,
        "manifest.csv": zipfile.ZIP_DEFLATED,
    }


def test_a_selection_is_flat_and_names_are_unique_whatever_their_case(tmp_path: Path, app: App) -> None:
    names = ["a/IMG.png", "b/img.PNG", "c/manifest.csv.png", "d/con.png", "e/x:y?.png"]
    for number, name in enumerate(names):
        (tmp_path / "archive" / name).parent.mkdir(parents=True)
        Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(tmp_path / "archive" / name, "PNG")
    app.ingest(tmp_path / "archive", "c")
    path, report = app.exports.zip(ADA, "c", list(app.titles("c")))
    found = set(unzipped(path))
    assert len({name.lower() for name in found}) == len(names) + 1
    assert {"manifest.csv", "_con.png", "x_y_.png", "manifest.csv.png"} <= found
    assert {name.lower() for name in found} >= {"img.png", "img (2).png"}
    assert found == {*outcomes(report), "manifest.csv"}


def test_a_zip_is_whole_or_absent_and_never_replaces_a_file(
    archive: Path, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out.zip").write_bytes(b"mine")
    with pytest.raises(ContactSheetError, match=r"out\.zip is there already"):
        app.exports.export(OPERATOR, "c", tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == b"mine"
    monkeypatch.setattr(picture_export, "open_original", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        app.exports.export(OPERATOR, "c", tmp_path / "sub" / "other.zip")
    assert list((tmp_path / "sub").iterdir()) == []


def test_missing_originals_are_named_and_replaced_by_thumbnails_on_request(
    archive: Path, app: App, tmp_path: Path
) -> None:
    (archive / "red_0.png").unlink()
    (archive / "red_1.png").write_bytes(b"another")
    report = app.exports.export(OPERATOR, "c", tmp_path / "out.zip", PictureSelection(clusters=("harbour",)))
    left_out = [picture for picture in report.pictures if picture.outcome == "left out"]
    assert {picture.reason for picture in left_out} == {"its original is missing or was changed"}
    assert len(left_out) == 2
    rows = manifest(unzipped(tmp_path / "out.zip")["manifest.csv"])
    assert sorted(row["outcome"] for row in rows) == ["exported", "left out", "left out"]
    options = ExportOptions(thumbnails=True)
    app.exports.export(OPERATOR, "c", tmp_path / "thumbs.zip", PictureSelection(clusters=("Harbour",)), options)
    found = unzipped(tmp_path / "thumbs.zip")
    assert Image.open(io.BytesIO(found["Harbour/red_0 (thumbnail).jpg"])).size == (8, 8)


# -- folders ------------------------------------------------------------------------------------------------------


def test_folders_get_copies_or_links_and_no_file_is_ever_replaced(archive: Path, app: App, tmp_path: Path) -> None:
    (tmp_path / "out" / "Harbour").mkdir(parents=True)
    (tmp_path / "out" / "Harbour" / "red_0.png").write_bytes(b"mine")
    report = app.exports.export(OPERATOR, "c", tmp_path / "out")
    found = written(tmp_path / "out")
    assert found["Harbour/red_0.png"] == b"mine"
    assert found["Harbour/red_0 (2).png"] == (archive / "red_0.png").read_bytes()
    assert set(outcomes(report).values()) == {"exported"}
    again = app.exports.export(OPERATOR, "c", tmp_path / "out", options=ExportOptions(link=True))
    assert set(outcomes(again).values()) == {"already there"}
    app.exports.export(OPERATOR, "c", tmp_path / "links", options=ExportOptions(link=True))
    assert (tmp_path / "links" / "Harbour" / "red_0.png").samefile(archive / "red_0.png")


def test_where_links_are_not_possible_copies_are_made(
    archive: Path, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    report = app.exports.export(OPERATOR, "c", tmp_path / "out", options=ExportOptions(link=True))
    assert set(outcomes(report).values()) == {"exported"}
    assert written(tmp_path / "out")["Harbour/red_1.png"] == (archive / "red_1.png").read_bytes()


def test_nothing_is_exported_into_a_source_also_not_by_a_link(archive: Path, app: App, tmp_path: Path) -> None:
    before = written(archive)
    (tmp_path / "link").symlink_to(archive)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "Harbour").symlink_to(archive)
    for target in (archive / "out", archive, tmp_path / "link" / "x.zip", tmp_path / "out"):
        with pytest.raises(ContactSheetError, match="a source of c, which would add the copies"):
            app.exports.export(OPERATOR, "c", target)
    assert written(archive) == before


def test_clusters_are_found_by_id_or_name_and_unknown_ones_refused(archive: Path, app: App, tmp_path: Path) -> None:
    cluster_id = next(iter(app.cluster_members("c").cluster_of.values())).id
    report = app.exports.export(OPERATOR, "c", tmp_path / "a.zip", PictureSelection(clusters=(cluster_id,)))
    assert len({Path(picture.file).parent for picture in report.pictures}) == 1
    with pytest.raises(ClusterError, match="'Quay' is no cluster of c"):
        app.exports.export(OPERATOR, "c", tmp_path / "b.zip", PictureSelection(clusters=("Quay",)))
    assert not (tmp_path / "b.zip").exists()


# -- who ----------------------------------------------------------------------------------------------------------


def test_viewers_export_nothing_and_pages_write_to_no_folder(archive: Path, app: App, tmp_path: Path) -> None:
    ids = list(app.titles("c"))
    with pytest.raises(NotAllowed, match="only curators may export pictures"):
        app.exports.zip(EVE, "c", ids)
    with pytest.raises(NotAllowed, match="only the command line"):
        app.exports.export(ADA, "c", tmp_path / "out")
    with pytest.raises(ContactSheetError, match="0 pictures chosen"):
        app.exports.zip(ADA, "c", [])


def test_zip_files_of_pages_are_kept_for_a_day(archive: Path, app: App) -> None:
    ids = ids_of(app, RED)
    first, _ = app.exports.zip(ADA, "c", ids)
    second, _ = app.exports.zip(ADA, "c", ids)
    assert first.exists()
    os.utime(first, (0, 0))
    third, _ = app.exports.zip(ADA, "c", ids)
    assert [path.exists() for path in (first, second, third)] == [False, True, True]


# -- coordinates --------------------------------------------------------------------------------------------------


@pytest.fixture
def located(tmp_path: Path, app: App) -> Path:
    """A folder with p.jpg, which was taken in Lisbon, and plain.jpg, which nobody knows of where."""
    folder = tmp_path / "located"
    folder.mkdir()
    Image.new("RGB", (32, 32), "red").save(folder / "p.jpg")
    Image.new("RGB", (32, 32), "blue").save(folder / "plain.jpg")
    ExifTool().write({folder / "p.jpg": LISBON})
    app.ingest(folder, "c")
    return folder


def test_copies_and_the_list_have_no_coordinates_unless_that_is_asked_for(
    located: Path, app: App, tmp_path: Path
) -> None:
    everything = PictureSelection(tuple(app.titles("c")))
    app.exports.export(OPERATOR, "c", tmp_path / "out", everything)
    tags = ExifTool().read(tmp_path / "out")["p.jpg"]
    assert (tags["IFD0:Artist"], [tag for tag in tags if "GPS" in tag]) == ("Ada", [])
    assert b"38.7" not in written(tmp_path / "out")["manifest.csv"]
    app.exports.export(OPERATOR, "c", tmp_path / "mine", everything, ExportOptions(location=True))
    assert written(tmp_path / "mine")["p.jpg"] == (located / "p.jpg").read_bytes()
    rows = manifest(written(tmp_path / "mine")["manifest.csv"])
    assert {row["latitude"] for row in rows} == {"38.700000", ""}


def test_a_picture_with_coordinates_is_copied_where_links_were_asked_for(
    located: Path, app: App, tmp_path: Path
) -> None:
    everything = PictureSelection(tuple(app.titles("c")))
    report = app.exports.export(OPERATOR, "c", tmp_path / "out", everything, ExportOptions(link=True))
    assert outcomes(report) == {"p.jpg": "exported", "plain.jpg": "linked"}
    assert not (tmp_path / "out" / "p.jpg").samefile(located / "p.jpg")


def test_a_zip_of_a_page_follows_the_setting(located: Path, settings: Settings, encoder: ColourEncoder) -> None:
    for share in (False, True):
        app = App(
            replace(settings, share_location=share), Collections(settings.data / "collections"), lambda *_: encoder
        )
        path, _ = app.exports.zip(ADA, "c", list(app.titles("c")))
        assert (unzipped(path)["p.jpg"] == (located / "p.jpg").read_bytes()) is share


def test_a_format_that_may_hide_coordinates_is_left_out(tmp_path: Path, app: App) -> None:
    (tmp_path / "archive").mkdir()
    Image.new("RGB", (32, 32), "red").save(tmp_path / "archive" / "p.jp2")
    app.ingest(tmp_path / "archive", "c")
    path, report = app.exports.zip(ADA, "c", list(app.titles("c")))
    assert [(p.outcome, p.reason) for p in report.pictures] == [
        ("left out", "its format may hold coordinates that cannot be removed")
    ]
    assert set(unzipped(path)) == {"manifest.csv"}


# -- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "picture"),
        ("", "picture"),
        (" .hidden. ", "hidden"),
        ("CON", "_CON"),
        ("lpt1.jpg", "_lpt1.jpg"),
        ("console.jpg", "console.jpg"),
        ("a\nb\u202egpj.exe", "a b gpj.exe"),
        ("C:\\a|b*?.jpg", "C__a_b__.jpg"),
        ("Cafe\u0301.jpg", "Café.jpg"),
        ("x" * 300 + ".jpeg", "x" * 180 + ".jpeg"),
        ("猫" * 100, "猫" * 60),
        ("trailing. . .", "trailing"),
    ],
)
def test_names_are_safe_on_every_system(text: str, name: str) -> None:
    assert safe_name(text, "picture") == name


def test_numbers_skip_names_that_are_taken() -> None:
    names = UniqueNames()
    assert [names.take("", name) for name in ("p (2).jpg", "p.jpg", "P.JPG", "p.jpg")] == [
        *("p (2).jpg", "p.jpg", "p (3).jpg", "p (4).jpg"),
    ]
