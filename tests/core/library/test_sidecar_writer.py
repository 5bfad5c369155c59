from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from core.access import OPERATOR, Person
from core.app import App
from core.errors import ClusterError, CollectionBusy, CollectionError, ContactSheetError, NotAllowed
from core.ingest.metadata.sidecar_files import read_sidecar_file
from core.records.sidecars import SidecarOptions, SidecarReport
from core.records.sources import RescanOptions
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.objects.locks import held_lock
from tests.fakes.colour_app import contents, open_table
from tests.fakes.encoder import ColourEncoder
from tests.fakes.exiftool import ExifTool
from tests.fakes.named_clusters import publish_named
from tests.fakes.painted import paint
from tests.fakes.sidecars import DARKTABLE, LIGHTROOM, SHAPES

ADA, EVE = Person("Ada", over_loopback=True, visitor="127.0.0.1"), Person("Eve", visitor="192.0.2.9")


@pytest.fixture
def archive(tmp_path: Path, app: App) -> Path:
    """A folder with red_0.png to red_2.png, in the published cluster Harbour, and blue_0.png to blue_2.png."""
    folder = tmp_path / "archive"
    paint(folder, "red", 3)
    paint(folder, "blue", 3)
    app.ingest(folder, "c")
    publish_named(app, {"Harbour": [f"red_{number}.png" for number in range(3)]})
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def outcomes(report: SidecarReport) -> dict[str, str]:
    """What became of each picture, and why, by the name of its file."""
    return {Path(c.picture).name: f"{c.outcome}: {c.reason}" if c.reason else c.outcome for c in report.changes}


def rescan(app: App) -> None:
    app.sources.rescan(OPERATOR, "c", RescanOptions())


# -- writing ------------------------------------------------------------------------------------------------------


def test_confirmed_names_are_written_beside_the_pictures_and_nothing_else_changes(archive: Path, app: App) -> None:
    before = files(archive)
    report = app.sidecars.write(OPERATOR, "c")
    assert outcomes(report) == dict.fromkeys(("red_0.png", "red_1.png", "red_2.png"), "created")
    after = files(archive)
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {f"red_{number}.png.xmp" for number in range(3)}
    about = read_sidecar_file(archive / "red_0.png.xmp")
    assert (about.keywords, about.hierarchies) == (("Harbour",), ("Clusters|Harbour",))
    assert ExifTool().read(archive)["red_1.png.xmp"]["XMP-lr:HierarchicalSubject"] == ["Clusters|Harbour"]


def test_a_dry_run_names_what_would_be_written_and_touches_nothing(archive: Path, app: App) -> None:
    before = files(archive)
    previewed = app.sidecars.preview(OPERATOR, "c")
    assert (files(archive), previewed.run, app.sidecars.runs("c")) == (before, None, [])
    assert {change.added for change in previewed.changes} == {("Harbour", "Clusters|Harbour")}
    assert app.sidecars.write(OPERATOR, "c").changes == previewed.changes


def test_an_existing_sidecar_is_updated_and_keeps_its_permissions(archive: Path, app: App) -> None:
    (archive / "red_0.xmp").write_bytes(LIGHTROOM)
    (archive / "red_1.png.xmp").write_bytes(DARKTABLE)
    (archive / "red_0.xmp").chmod(0o640)
    assert outcomes(app.sidecars.write(OPERATOR, "c"))["red_0.png"] == "updated"
    assert (archive / "red_0.xmp").stat().st_mode & 0o777 == 0o640
    assert read_sidecar_file(archive / "red_0.xmp").keywords == ("Boat", "Sea", "Harbour")
    assert b"crs:ToneCurvePV2012" in (archive / "red_0.xmp").read_bytes()
    assert "Harbour" in read_sidecar_file(archive / "red_1.png.xmp").keywords
    assert not (archive / "red_0.png.xmp").exists()


def test_a_sidecar_that_two_pictures_share_is_not_given_the_name_of_one(archive: Path, app: App) -> None:
    Image.new("RGB", (8, 8), "white").save(archive / "red_0.jpg")
    (archive / "red_0.xmp").write_bytes(LIGHTROOM)
    app.sidecars.write(OPERATOR, "c")
    assert (archive / "red_0.xmp").read_bytes() == LIGHTROOM
    assert "Harbour" in read_sidecar_file(archive / "red_0.png.xmp").keywords


def test_a_new_sidecar_has_the_keywords_that_its_picture_has_already(tmp_path: Path, app: App) -> None:
    paint(tmp_path / "archive", "red", 2)
    ExifTool().write({tmp_path / "archive" / "red_0.png": ["-XMP-dc:Subject=Boat", "-XMP-dc:Title=Quay"]})
    app.ingest(tmp_path / "archive", "c")
    publish_named(app, {"Harbour": ["red_0.png", "red_1.png"]})
    app.sidecars.write(OPERATOR, "c")
    rescan(app)
    (hit,) = [hit for hit in app.pictures("c", list(app.titles("c"))) if hit.asset.about.title == "Quay"]
    assert hit.asset.about.keywords == ("Boat", "Harbour")


def test_names_that_nobody_confirmed_are_not_written_but_keywords_are_on_request(tmp_path: Path, app: App) -> None:
    paint(tmp_path / "archive", "red", 2)
    (tmp_path / "archive" / "red_0.xmp").write_bytes(LIGHTROOM)
    app.ingest(tmp_path / "archive", "c")
    revision = app.curation.save(ADA, app.curation.open(ADA, "c"))
    assert app.sidecars.write(OPERATOR, "c", SidecarOptions(revision.id)).changes == ()
    (tmp_path / "archive" / "red_0.xmp").unlink()
    report = app.sidecars.write(OPERATOR, "c", SidecarOptions(revision.id, keywords=True))
    assert [change.added for change in report.changes] == [("Boat", "Sea", "Things|Boat")]


def test_each_place_of_a_picture_gets_a_sidecar(archive: Path, app: App) -> None:
    (archive / "copies").mkdir()
    shutil.copy(archive / "red_0.png", archive / "copies" / "again.png")
    rescan(app)
    app.sidecars.write(OPERATOR, "c")
    assert (archive / "red_0.png.xmp").read_bytes() == (archive / "copies" / "again.png.xmp").read_bytes()


def test_a_second_run_finds_nothing_to_do(archive: Path, app: App) -> None:
    app.sidecars.write(OPERATOR, "c")
    before = files(archive)
    report = app.sidecars.write(OPERATOR, "c")
    assert (report.run, set(outcomes(report).values()), files(archive)) == (None, {"unchanged"}, before)


def test_what_cannot_be_written_is_left_out_and_the_rest_goes_on(archive: Path, app: App) -> None:
    (archive / "red_0.xmp").write_bytes(b"<broken")
    (archive / "red_1.png").unlink()
    report = app.sidecars.write(OPERATOR, "c")
    left_out = {name: outcome for name, outcome in outcomes(report).items() if outcome != "created"}
    assert left_out.keys() == {"red_0.png", "red_1.png"}
    assert left_out["red_0.png"].startswith("left out: it is damaged")
    assert left_out["red_1.png"] == "left out: the picture is not there"
    assert (archive / "red_0.xmp").read_bytes() == b"<broken"


def test_a_picture_that_became_another_or_a_link_is_left_out(archive: Path, app: App) -> None:
    Image.new("RGB", (9, 9), "white").save(archive / "red_0.png")
    (archive / "red_1.png").rename(archive / "elsewhere.png")
    (archive / "red_1.png").symlink_to(archive / "elsewhere.png")
    (archive / "red_2.xmp").symlink_to(archive / "nowhere.xmp")
    reasons = outcomes(app.sidecars.write(OPERATOR, "c"))
    assert reasons == {
        "red_0.png": "left out: the picture was changed since the last scan: rescan first",
        "red_1.png": "left out: the picture is a link",
        "red_2.png": "left out: the sidecar is a link, not a plain file",
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_a_read_only_folder_is_said_to_be_one(archive: Path, app: App) -> None:
    archive.chmod(0o555)
    try:
        reasons = set(outcomes(app.sidecars.write(OPERATOR, "c")).values())
    finally:
        archive.chmod(0o755)
    assert reasons == {"left out: its folder is read-only"}


def test_a_sidecar_that_changes_meanwhile_is_refused(archive: Path, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    (archive / "red_0.xmp").write_bytes(LIGHTROOM)
    add = app._stores.sidecars.add

    def others_write(run: int, written: object) -> None:
        add(run, written)  # type: ignore[arg-type]
        (archive / "red_0.xmp").write_bytes(SHAPES["digiKam"])
        (archive / "red_1.png.xmp").write_bytes(SHAPES["digiKam"])

    monkeypatch.setattr(app._stores.sidecars, "add", others_write)
    reasons = outcomes(app.sidecars.write(OPERATOR, "c"))
    assert reasons["red_0.png"] == "left out: the sidecar was changed meanwhile"
    assert reasons["red_1.png"] == "left out: a sidecar has appeared there meanwhile"
    assert (archive / "red_0.xmp").read_bytes() == SHAPES["digiKam"] == (archive / "red_1.png.xmp").read_bytes()
    (run,) = app.sidecars.runs("c")
    assert run.files == 1  # there is nothing to undo of the two
    assert not list(archive.glob(".*"))


# -- who, and when ------------------------------------------------------------------------------------------------


def test_viewers_may_neither_write_nor_preview_nor_undo(archive: Path, app: App) -> None:
    for call in (
        lambda: app.sidecars.write(EVE, "c"),
        lambda: app.sidecars.preview(EVE, "c"),
        lambda: app.sidecars.undo(EVE, "c", 1),
    ):
        with pytest.raises(NotAllowed, match="only curators may"):
            call()
    assert not list(archive.glob("*.xmp"))


def test_from_a_page_only_the_folders_of_the_setting_are_written_to(
    archive: Path, settings: Settings, encoder: ColourEncoder, tmp_path: Path
) -> None:
    from dataclasses import replace

    elsewhere = replace(settings, roots=(tmp_path / "elsewhere",))
    app = App(elsewhere, Collections(settings.data / "collections"), lambda *_: encoder)
    assert set(outcomes(app.sidecars.write(ADA, "c")).values()) == {
        "left out: the picture is outside the folders of CONTACTSHEET_ROOTS"
    }
    run = app.sidecars.write(OPERATOR, "c").run
    assert run is not None
    assert {each.outcome for each in app.sidecars.undo(ADA, "c", run)} == {"left alone"}


def test_only_one_run_writes_at_a_time(archive: Path, app: App, settings: Settings) -> None:
    with (
        held_lock(settings.data / "sidecars.lock", 0.0, "busy"),
        pytest.raises(CollectionBusy, match="being written already"),
    ):
        app.sidecars.write(OPERATOR, "c")
    assert not list(archive.glob("*.xmp"))


def test_a_revision_has_to_be_published_or_named(archive: Path, app: App) -> None:
    app.ingest(archive, "d")
    with pytest.raises(ClusterError, match="d has no published clusters"):
        app.sidecars.write(OPERATOR, "d")
    with pytest.raises(ClusterError, match="revision 1 is of c, not of d"):
        app.sidecars.write(OPERATOR, "d", SidecarOptions(1))


def test_nothing_is_written_beside_the_pictures_that_ship_with_contact_sheet(app: App) -> None:
    with pytest.raises(CollectionError, match="the demo's pictures ship with Contact Sheet"):
        app.sidecars.preview(OPERATOR, "demo")


# -- undoing ------------------------------------------------------------------------------------------------------


def test_write_rescan_undo_rescan_leaves_everything_as_before_without_embedding(
    archive: Path, app: App, settings: Settings, encoder: ColourEncoder
) -> None:
    (archive / "red_0.xmp").write_bytes(LIGHTROOM)
    (archive / "blue_0.xmp").write_bytes(DARKTABLE)
    rescan(app)
    encoded, known = encoder.encoded_images, contents(open_table(settings.data, "c"))
    before = files(archive)
    run = app.sidecars.write(OPERATOR, "c").run
    assert run is not None
    rescan(app)
    red = [
        about for _, _, about, *_ in contents(open_table(settings.data, "c")).values() if "Harbour" in about.keywords
    ]
    assert len(red) == 3
    undone = {Path(each.sidecar).name: each.outcome for each in app.sidecars.undo(OPERATOR, "c", run)}
    assert undone == {"red_0.xmp": "restored", "red_1.png.xmp": "deleted", "red_2.png.xmp": "deleted"}
    assert files(archive) == before
    rescan(app)
    assert contents(open_table(settings.data, "c")) == known
    assert encoder.encoded_images == encoded
    assert app.sidecars.runs("c") == []


def test_sidecars_that_someone_changed_since_are_left_alone_and_named(archive: Path, app: App) -> None:
    (archive / "red_0.xmp").write_bytes(LIGHTROOM)
    run = app.sidecars.write(OPERATOR, "c").run
    assert run is not None
    ours = (archive / "red_0.xmp").read_bytes()
    (archive / "red_0.xmp").write_bytes(ours + b"\n")
    (archive / "red_1.png.xmp").write_bytes(DARKTABLE)
    undone = {Path(each.sidecar).name: (each.outcome, each.reason) for each in app.sidecars.undo(OPERATOR, "c", run)}
    assert undone["red_0.xmp"] == ("left alone", "it was changed since") == undone["red_1.png.xmp"]
    assert undone["red_2.png.xmp"] == ("deleted", "")
    assert (archive / "red_1.png.xmp").read_bytes() == DARKTABLE
    (archive / "red_0.xmp").write_bytes(ours)
    assert {each.outcome for each in app.sidecars.undo(OPERATOR, "c", run)} == {"restored", "left alone"}
    assert (archive / "red_0.xmp").read_bytes() == LIGHTROOM


def test_runs_are_undone_one_after_the_other(archive: Path, app: App) -> None:
    (archive / "red_0.xmp").write_bytes(LIGHTROOM)
    first = app.sidecars.write(OPERATOR, "c").run
    publish_named(app, {"Quay": ["red_0.png", "red_1.png", "red_2.png"]})
    second = app.sidecars.write(OPERATOR, "c").run
    assert first is not None
    assert second is not None
    assert {each.outcome for each in app.sidecars.undo(OPERATOR, "c", first)} == {"left alone"}
    assert {each.outcome for each in app.sidecars.undo(OPERATOR, "c", second)} == {"restored"}
    app.sidecars.undo(OPERATOR, "c", first)
    assert (archive / "red_0.xmp").read_bytes() == LIGHTROOM
    assert not list(archive.glob("*.png.xmp"))


def test_an_unknown_run_is_refused_and_a_deleted_collection_forgets_its_runs(archive: Path, app: App) -> None:
    run = app.sidecars.write(OPERATOR, "c").run
    app.removal.delete(ADA, "c", "c")
    assert app.sidecars.runs("c") == []
    with pytest.raises(ContactSheetError, match=f"c has no run {run}"):
        app.sidecars.undo(OPERATOR, "c", run or 0)


def test_pictures_that_differ_in_case_alone_have_sidecars_of_their_own(tmp_path: Path, app: App) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    for name, colour in (("p.png", "red"), ("P.PNG", "#c00000")):
        Image.new("RGB", (8, 8), colour).save(folder / name, "PNG")
    if len(list(folder.iterdir())) == 1:
        pytest.skip("the disk knows no case")
    (folder / "P.xmp").write_bytes(LIGHTROOM)
    app.ingest(folder, "c")
    publish_named(app, {"Harbour": ["p.png", "P.PNG"]})
    app.sidecars.write(OPERATOR, "c")
    rescan(app)
    assert (folder / "P.xmp").read_bytes() == LIGHTROOM
    about = {Path(hit.asset.uris[0]).name: hit.asset.about for hit in app.pictures("c", list(app.titles("c")))}
    assert about["p.png"].keywords == ("Harbour",)
    assert about["P.PNG"].keywords == ("Boat", "Sea", "Harbour")
