"""Rescans: files that come, change, move and go, and what stays with their pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.access import OPERATOR, Person
from core.app import App
from core.clusters.edits.model import ClusterRef, Pin, Rename
from core.errors import CollectionError, ContactSheetError, NotAllowed
from core.quality.judging import Vote
from core.records.assets import Asset, Location
from core.records.descriptions import Description
from core.records.jobs import IngestReport
from core.records.sources import RescanOptions
from tests.fakes.colour_app import colour_app, contents, open_table
from tests.fakes.encoder import ColourEncoder
from tests.fakes.painted import paint

STRANGER, ADA = Person("Ada"), Person("Ada", over_loopback=True)
XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li>
</rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three red pictures of 1998, three green ones of 2003."""
    folder = tmp_path / "archive"
    folder.mkdir()
    paint(folder / "1998", "red", 3)
    paint(folder / "2003", "green", 3)
    return folder


@pytest.fixture
def encoder() -> ColourEncoder:
    return ColourEncoder()


@pytest.fixture
def app(archive: Path, tmp_path: Path, encoder: ColourEncoder) -> App:
    app = colour_app(tmp_path / "data", encoder)
    app.ingest(archive, "c")
    return app


def rescan(app: App, **options: bool) -> IngestReport:
    return app.sources.rescan(OPERATOR, "c", RescanOptions(**options))


def id_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def files(app: App) -> dict[str, str]:
    """The state of every location by its file's name and the folder it lies in."""
    places = open_table(app.settings.data, "c").locations().values()
    return {"/".join(Path(place.uri).parts[-2:]): place.state for found in places for place in found}


def repaint(path: Path, colour: str = "blue") -> str:
    """Edit a picture in place; returns its new id."""
    Image.new("RGB", (8, 8), colour).save(path)
    return id_of(path)


def settled(app: App) -> bool:
    """Whether another rescan would change nothing."""
    (preview,) = app.sources.preview("c")
    return not any((preview.new, preview.changed, preview.refreshed, preview.moved, preview.missing))


def test_nothing_is_read_again_where_nothing_changed(
    app: App, encoder: ColourEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, read = contents(open_table(app.settings.data, "c")), list[str]()
    monkeypatch.setattr("core.embedding.images.read_bytes", lambda path: read.append(path))
    report = rescan(app)
    assert (report.added, report.known, report.failures, read, encoder.encoded_images) == (0, 6, (), [], 6)
    assert contents(open_table(app.settings.data, "c")) == before


def test_a_checksum_rescan_reads_every_file_and_changes_nothing(app: App, encoder: ColourEncoder) -> None:
    before = contents(open_table(app.settings.data, "c"))
    assert (rescan(app, checksum=True).known, encoder.encoded_images) == (6, 6)
    assert contents(open_table(app.settings.data, "c")) == before


def test_a_change_that_kept_size_and_time_is_found_by_checksum(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    before = path.stat()
    data = bytearray(path.read_bytes())
    Image.new("RGB", (8, 8), (254, 1, 1)).save(path)
    path.write_bytes(path.read_bytes().ljust(len(data), b"\0")[: len(data)])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    if path.stat().st_size == before.st_size:
        assert rescan(app).replaced == 0
        assert rescan(app, checksum=True).replaced == 1


def test_a_picture_edited_in_place_takes_the_place_of_its_old_version(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    old = id_of(path)
    new = repaint(path)
    report = rescan(app)
    assert (report.added, report.replaced, report.missing) == (1, 1, 0)
    assert old not in app.titles("c")
    assert app.titles("c")[new] == "red_0.png"
    assert len(app.titles("c")) == 6
    assert settled(app)


def test_edited_in_place_and_added_again_is_one_picture_too(app: App, archive: Path) -> None:
    new = repaint(archive / "1998" / "red_0.png")
    assert app.ingest(archive, "c").replaced == 1
    assert new in app.titles("c")
    assert len(app.titles("c")) == 6


def test_of_an_edit_of_metadata_alone_the_vector_is_kept(app: App, archive: Path, encoder: ColourEncoder) -> None:
    path = archive / "1998" / "red_0.png"
    old, texts = id_of(path), PngInfo()
    vector = open_table(app.settings.data, "c").vector(old)
    texts.add_text("Title", "Red at last")
    with Image.open(path) as image:
        image.save(path, pnginfo=texts)
    report = rescan(app)
    assert (report.replaced, encoder.encoded_images) == (1, 6)
    assert app.titles("c")[id_of(path)] == "Red at last"
    assert vector is not None
    assert (open_table(app.settings.data, "c").vector(id_of(path)) == vector).all()


def test_an_edit_that_is_taken_back_brings_the_old_picture_back(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    original = path.read_bytes()
    repaint(path)
    rescan(app)
    path.write_bytes(original)
    report = rescan(app)
    assert (report.added, report.replaced) == (0, 1)
    assert id_of(path) in app.titles("c")
    assert len(app.titles("c")) == 6
    assert app.removal.count_removed("c") == 1  # the edited version
    assert settled(app)


def test_what_someone_removed_stays_removed_whatever_is_scanned(app: App, archive: Path) -> None:
    removed = id_of(archive / "1998" / "red_0.png")
    app.removal.remove(ADA, "c", [removed])
    assert rescan(app, checksum=True).removed == 1
    assert removed not in app.titles("c")


def test_thumbs_pins_and_names_follow_an_edit(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    old, neighbour = id_of(path), id_of(archive / "1998" / "red_1.png")
    app.quality.judging.judge(ADA, "c", "red", Vote(old, True, "vector", 1))
    draft = app.curation.edit(ADA, app.curation.open(ADA, "c"), Rename(ClusterRef((min(old, neighbour),)), "Sunsets"))
    greens = ClusterRef.from_members(id_of(archive / "2003" / f"green_{number}.png") for number in range(3))
    draft = app.curation.edit(ADA, draft, Pin((old,), greens))
    saved = app.curation.save(ADA, draft)
    unsaved = app.curation.edit(ADA, app.curation.open(ADA, "c"), Rename(greens, "Meadows"))
    new = repaint(path, "darkred")
    rescan(app)
    assert app.quality.judging.votes(ADA, "c", "red") == {new: True}
    assert [query.relevant for query in app.quality.judging.label_set("c").queries] == [{new: 1}]
    assert new in app.clusters.clustering(saved.id).asset_ids
    assert old in app.clusters.saved_clustering(saved.id).asset_ids
    view = app.clusters.revision_view(saved)
    (meadow,) = [
        c for c in view.clusters if id_of(archive / "2003" / "green_0.png") in view.partition.members(view.number(c.id))
    ]
    assert new in view.partition.members(view.number(meadow.id))
    assert "Sunsets" in {cluster.name for cluster in view.clusters}
    assert app.curation.draft(unsaved.record.id).unsaved
    assert not app.model_changed(saved)
    assert app.quality.judging.withdraw(ADA, "c", "red", new)
    assert app.quality.judging.votes(ADA, "c", "red") == {}


def test_a_moved_file_is_found_in_its_new_place(app: App, archive: Path, encoder: ColourEncoder) -> None:
    (archive / "1998" / "red_0.png").rename(archive / "2003" / "sunset.png")
    (preview,) = app.sources.preview("c")
    assert [tuple(map(Path, pair)) for pair in preview.moved] == [
        (archive / "1998" / "red_0.png", archive / "2003" / "sunset.png")
    ]
    assert (preview.new, preview.missing) == ((), ())
    report = rescan(app)
    assert (report.added, report.moved, report.missing, encoder.encoded_images) == (0, 1, 0, 6)
    assert files(app)["2003/sunset.png"] == "present"
    assert "1998/red_0.png" not in files(app)
    assert settled(app)


def test_a_moved_file_keeps_what_its_row_of_captions_said(app: App, archive: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("file,title,people\n1998/red_0.png,Alpha,Ada\n")
    app.ingest(archive, "c", captions=captions)
    path = (archive / "1998" / "red_0.png").rename(archive / "2003" / "sunset.png")
    report = rescan(app)
    assert any("no row names 1 moved picture any more" in remark for remark in report.remarks)
    asset = open_table(app.settings.data, "c").metadata(id_of(path))
    assert asset is not None
    assert (asset.about.title, asset.about.people, len(asset.locations)) == ("Alpha", ("Ada",), 1)
    assert rescan(app).refreshed == 0
    captions.write_text("file,title\n2003/sunset.png,Omega\n")
    rescan(app)
    assert app.titles("c")[id_of(path)] == "Omega"


def test_a_whole_folder_that_was_renamed_is_followed(app: App, archive: Path) -> None:
    for year in ("1998", "2003"):
        (archive / year).rename(archive / f"year {year}")
    report = rescan(app)
    assert (report.moved, report.missing, report.added) == (6, 0, 0)
    assert set(files(app).values()) == {"present"}


def test_a_deleted_file_is_marked_listed_and_pruned_on_request(app: App, archive: Path) -> None:
    gone = id_of(archive / "1998" / "red_0.png")
    (archive / "1998" / "red_0.png").unlink()
    assert rescan(app).missing == 1
    assert rescan(app).missing == 0  # it was told
    ((asset, thumbnail),) = app.sources.missing("c")
    assert (asset.id, asset.missing, thumbnail[:2]) == (gone, True, b"\xff\xd8")
    assert gone in app.titles("c")
    assert app.sources.count_missing("c") == 1
    assert app.sources.prune(OPERATOR, "c") == 1
    assert app.sources.count_missing("c") == 0
    assert app.removal.removed_ids("c") == [gone]


def test_a_file_that_comes_back_is_present_again(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    content = path.read_bytes()
    path.unlink()
    rescan(app)
    path.write_bytes(content)
    rescan(app)
    assert app.sources.count_missing("c") == 0
    assert settled(app)


def test_what_is_back_by_now_is_not_pruned(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    content = path.read_bytes()
    path.unlink()
    rescan(app)
    path.write_bytes(content)
    assert app.sources.prune(OPERATOR, "c") == 0


@pytest.mark.parametrize("leaves_folder", [True, False])
def test_an_unmounted_source_is_never_taken_for_deletion(app: App, archive: Path, leaves_folder: bool) -> None:
    before = files(app)
    archive.rename(archive.with_name("away"))
    if leaves_folder:  # as the mount point of a disk is
        archive.mkdir()
    report = rescan(app)
    assert (report.missing, files(app)) == (0, before)
    assert any("is its disk mounted?" in remark for remark in report.remarks)
    assert app.sources.prune(OPERATOR, "c") == 0
    shutil.rmtree(archive, ignore_errors=True)
    archive.with_name("away").rename(archive)
    assert settled(app)


def test_files_that_were_missing_are_not_pruned_while_their_disk_is_away(app: App, archive: Path) -> None:
    (archive / "1998" / "red_0.png").unlink()
    rescan(app)
    archive.rename(archive.with_name("away"))
    assert app.sources.prune(OPERATOR, "c") == 0


def test_a_source_that_was_emptied_on_purpose_is_said_to_be(app: App, archive: Path) -> None:
    for path in archive.rglob("*.png"):
        path.unlink()
    assert rescan(app).missing == 0
    assert rescan(app, accept_empty=True).missing == 6
    assert app.sources.prune(OPERATOR, "c") == 6


def test_nothing_is_said_of_files_in_a_folder_that_cannot_be_read(
    app: App, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scandir: Callable[..., object] = os.scandir

    def refuse(path: object) -> object:
        if str(path).endswith("1998"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    report = rescan(app)
    assert (report.missing, [failure.reason for failure in report.failures]) == (0, ["folder cannot be read"])
    assert "3 pictures that cannot be reached stay as they are" in report.remarks
    assert set(files(app).values()) == {"present"}


def test_a_disk_behind_a_link_that_is_not_mounted_is_never_taken_for_deletion(
    app: App, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    paint(tmp_path / "disk" / "2010", "blue", 2)
    (archive / "disk").symlink_to(tmp_path / "disk", target_is_directory=True)
    assert rescan(app).added == 2
    (tmp_path / "disk").rename(tmp_path / "away")
    report = rescan(app)
    assert (report.missing, [failure.reason for failure in report.failures]) == (0, ["dangling link"])
    assert set(files(app).values()) == {"present"}


def test_a_link_to_a_file_that_was_deleted_does_not_hide_that(app: App, archive: Path) -> None:
    (archive / "best.png").symlink_to(archive / "1998" / "red_0.png")
    (archive / "1998" / "red_0.png").unlink()
    assert rescan(app).missing == 1


def test_a_sidecar_that_comes_changes_and_goes_is_followed_without_embedding(
    app: App, archive: Path, encoder: ColourEncoder
) -> None:
    path, sidecar = archive / "1998" / "red_0.png", archive / "1998" / "red_0.xmp"
    for title in ("One", "Two"):
        sidecar.write_text(XMP.format(title))
        os.utime(sidecar, ns=(1, len(title) + ord(title[0])))
        assert rescan(app).refreshed == 1
        assert app.titles("c")[id_of(path)] == title
    sidecar.unlink()
    assert rescan(app).refreshed == 1
    assert app.titles("c")[id_of(path)] == "red_0.png"
    assert encoder.encoded_images == 6


def test_a_sidecar_that_could_not_be_read_for_a_while_is_read_later(
    app: App, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, open_file = archive / "1998" / "red_0.png", Path.open
    path.with_suffix(".xmp").write_text(XMP.format("One"))

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.suffix == ".xmp":
            raise PermissionError(13, "Permission denied")
        return open_file(self, *arguments, **options)

    with monkeypatch.context() as closed:
        closed.setattr(Path, "open", refuse)
        (note,) = rescan(app).notes
    assert note.reason == "sidecar cannot be read"
    rescan(app)
    assert app.titles("c")[id_of(path)] == "One"
    assert settled(app)


def test_captions_given_after_the_first_ingest_are_applied_without_embedding(
    app: App, archive: Path, tmp_path: Path, encoder: ColourEncoder
) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("file,title\n1998/red_0.png,First\nred_1.png,Second\n")
    report = app.ingest(archive, "c", captions=captions)
    assert (report.added, report.refreshed, encoder.encoded_images) == (0, 2, 6)
    assert "captions: 2 of 2 rows matched" in report.remarks
    captions.write_text("file,title\n1998/red_0.png,First\nred_1.png,Third\nnowhere.png,None\n")
    report = rescan(app)
    assert report.refreshed == 1  # the row that changed
    assert {"First", "Third"} <= set(app.titles("c").values())
    assert any("first unmatched: line 4, nowhere.png" in remark for remark in report.remarks)


def test_an_inner_source_with_captions_that_is_gone_does_not_stop_the_outer_one(
    app: App, archive: Path, tmp_path: Path
) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("file,title\nred_0.png,First\n")
    app.ingest(archive / "1998", "c", captions=captions)
    shutil.rmtree(archive / "1998")
    report = rescan(app)
    assert (report.known, report.missing, report.failures) == (3, 0, ())
    assert any("is its disk mounted?" in remark for remark in report.remarks)


def test_another_name_of_a_source_reaches_its_pictures_without_embedding(
    app: App, archive: Path, encoder: ColourEncoder
) -> None:
    report = app.ingest(archive, "c", source="Attic")
    assert (report.added, report.refreshed, encoder.encoded_images) == (0, 6, 6)
    places = open_table(app.settings.data, "c").locations().values()
    assert {place.source for found in places for place in found} == {"Attic"}
    assert settled(app)


def test_captions_that_are_gone_cost_nothing_that_they_said(app: App, archive: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("file,title\n1998/red_0.png,First\n")
    app.ingest(archive, "c", captions=captions)
    captions.unlink()
    report = rescan(app)
    assert [failure.reason for failure in report.failures] == ["source cannot be read"]
    assert "put them back" in report.failures[0].detail
    assert "First" in app.titles("c").values()


def test_captions_that_were_emptied_cost_nothing_that_they_said(app: App, archive: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("file,title\n1998/red_0.png,First\n")
    app.ingest(archive, "c", captions=captions)
    for content in ("", "file,title\n"):
        captions.write_text(content)
        report = rescan(app)
        assert [failure.reason for failure in report.failures] == ["source cannot be read"]
        assert "First" in app.titles("c").values()


def test_the_same_bytes_in_two_archives_have_both_places_and_both_words(
    app: App, archive: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(archive / "1998" / "red_0.png", other / "copy.png")
    for folder, words in ((archive, "By Ada"), (other, "By Bob")):
        table = tmp_path / f"{folder.name}.csv"
        table.write_text(f"file,title,keywords\n{'1998/red_0' if folder == archive else 'copy'}.png,{words},{words}\n")
        app.ingest(folder, "c", captions=table)
    asset = open_table(app.settings.data, "c").metadata(id_of(other / "copy.png"))
    assert asset is not None
    assert asset.sources == ("archive", "other")
    assert asset.about.keywords == ("By Ada", "By Bob")
    assert {place.words.title for place in asset.locations if place.words} == {"By Ada", "By Bob"}
    assert rescan(app).refreshed == 0


@pytest.mark.parametrize("way", ["a detour", "a link"])
def test_the_same_folder_by_another_way_is_the_same_source(app: App, archive: Path, way: str) -> None:
    link = archive.with_name("link")
    link.symlink_to(archive, target_is_directory=True)
    path = archive / ".." / archive.name if way == "a detour" else link
    report = app.ingest(path, "c")
    assert (report.added, report.known) == (0, 6)
    assert len(files(app)) == 6
    assert len(app.sources.states("c")) == 1


def test_a_folder_inside_a_source_is_part_of_it(app: App, archive: Path) -> None:
    paint(archive / "1998", "blue", 1)
    assert app.ingest(archive / "1998", "c").added == 1
    assert [state.source.label for state in app.sources.states("c")] == ["archive"]
    assert settled(app)


def test_excludes_are_remembered_with_the_folder(app: App, archive: Path) -> None:
    paint(archive / "private", "blue", 2)
    report = app.ingest(archive, "c", exclude=["private/"])
    assert (report.added, dict(report.passed_over)) == (0, {"folder excluded": 1})
    assert rescan(app).added == 0
    (state,) = app.sources.states("c")
    assert (state.source.exclude, state.files, state.missing, state.reachable) == (("private/",), 6, 0, True)


def test_a_dry_run_tells_all_and_changes_nothing(app: App, archive: Path) -> None:
    paint(archive / "2004", "blue", 1)
    repaint(archive / "1998" / "red_0.png", "black")
    (archive / "1998" / "red_1.png").unlink()
    (archive / "2003" / "green_0.xmp").write_text(XMP.format("Green"))
    before = contents(open_table(app.settings.data, "c"))
    (preview,) = app.sources.preview("c")
    assert [Path(uri).name for uri in preview.new] == ["blue_0.png"]
    assert [Path(uri).name for uri in preview.changed] == ["red_0.png"]
    assert [Path(uri).name for uri in preview.missing] == ["red_1.png"]
    assert [Path(uri).name for uri in preview.refreshed] == ["green_0.png"]
    assert preview.unchanged == 3
    assert contents(open_table(app.settings.data, "c")) == before
    report = rescan(app)
    assert (report.added, report.replaced, report.missing, report.refreshed) == (2, 1, 1, 1)


def test_a_source_that_is_removed_takes_its_pictures_along_but_for_those_that_lie_elsewhere(
    app: App, archive: Path, tmp_path: Path
) -> None:
    shutil.copytree(archive / "1998", tmp_path / "copies")
    app.ingest(tmp_path / "copies", "c")
    assert app.sources.remove(OPERATOR, "c", str(archive)) == 3  # the green ones
    assert sorted(app.titles("c").values()) == ["red_0.png", "red_1.png", "red_2.png"]
    assert [Path(state.source.root) for state in app.sources.states("c")] == [tmp_path / "copies"]
    assert app.removal.restore(OPERATOR, "c", app.removal.removed_ids("c")) == 3


def test_what_cannot_be_rescanned_is_said(app: App) -> None:
    with pytest.raises(ContactSheetError, match=r"/nowhere is not a source of c; its sources are .*archive"):
        app.sources.remove(OPERATOR, "c", "/nowhere")
    with pytest.raises(ContactSheetError, match="/nowhere is not a source of c"):
        app.sources.rescan(OPERATOR, "c", RescanOptions(("/nowhere",)))
    with pytest.raises(CollectionError, match="there is no collection 'none'"):
        app.sources.preview("none")


def test_a_collection_of_an_older_version_says_how_its_folder_becomes_known(app: App, archive: Path) -> None:
    app.sources.remove(OPERATOR, "c", str(archive))
    app.removal.restore(OPERATOR, "c", app.removal.removed_ids("c"))
    with pytest.raises(ContactSheetError, match="add its folder again"):
        rescan(app)
    assert app.ingest(archive, "c").known == 6
    assert settled(app)


def test_only_curators_change_sources(app: App) -> None:
    for change in (
        lambda: app.sources.rescan(STRANGER, "c", RescanOptions()),
        lambda: app.sources.start(STRANGER, "c"),
        lambda: app.sources.remove(STRANGER, "c", "x"),
        lambda: app.sources.prune(STRANGER, "c"),
    ):
        with pytest.raises((NotAllowed, ContactSheetError)):
            change()
    assert len(app.titles("c")) == 6


def test_the_demo_takes_no_pictures_of_others(app: App, archive: Path) -> None:
    with pytest.raises(CollectionError, match="demo holds the demo's pictures only: choose another name"):
        app.ingest(archive, "demo")


def test_sources_and_successors_are_forgotten_with_their_collection(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    old = id_of(path)
    repaint(path)
    rescan(app)
    app.removal.delete(OPERATOR, "c", "c")
    app.ingest(archive / "2003", "c")
    assert [Path(state.source.root).name for state in app.sources.states("c")] == ["2003"]
    assert app.clusters.successors("c").id(old) == old


# -- several sources, and what is taken back ---------------------------------------------------------------------


def test_a_picture_that_comes_back_under_another_name_is_itself_again(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    original, old = path.read_bytes(), id_of(path)
    new = repaint(path)
    rescan(app)
    (archive / "1998" / "original.png").write_bytes(original)
    rescan(app)
    app.quality.judging.judge(ADA, "c", "red", Vote(old, True, "vector", 1))
    app.quality.judging.judge(ADA, "c", "red", Vote(new, False, "vector", 2))
    assert app.quality.judging.votes(ADA, "c", "red") == {old: True, new: False}


def test_a_picture_that_someone_puts_back_is_itself_again(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    old = id_of(path)
    repaint(path)
    rescan(app)
    app.removal.restore(OPERATOR, "c", [old])
    assert app.clusters.successors("c").id(old) == old


def test_a_file_that_moved_to_another_source_leaves_nothing_behind(app: App, archive: Path, tmp_path: Path) -> None:
    paint(tmp_path / "other", "blue", 1)
    app.ingest(tmp_path / "other", "c")
    (archive / "1998" / "red_0.png").rename(tmp_path / "other" / "red_0.png")
    for _ in range(2):
        rescan(app)
    asset = open_table(app.settings.data, "c").metadata(id_of(tmp_path / "other" / "red_0.png"))
    assert asset is not None
    assert [Path(place.uri).parent.name for place in asset.locations] == ["other"]


def test_captions_of_a_folder_hold_for_a_source_inside_it(app: App, archive: Path, tmp_path: Path) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("file,title\n1998/red_0.png,Alpha\n")
    app.ingest(archive, "c", captions=captions)
    app.ingest(archive / "1998", "c", exclude=["*.tmp.png"])
    assert app.titles("c")[id_of(archive / "1998" / "red_0.png")] == "Alpha"
    assert [state.source.label for state in app.sources.states("c")] == ["archive", "1998"]


@pytest.mark.parametrize("inner_first", [True, False])
def test_sources_inside_each_other_agree_on_what_is_excluded(app: App, archive: Path, inner_first: bool) -> None:
    (archive / "1998" / "red_0.png").rename(archive / "1998" / "red.tmp.png")
    given = [(archive / "1998", ["*.tmp.png"]), (archive, ["2003/"])]
    for folder, exclude in given if inner_first else reversed(given):
        app.ingest(folder, "c", exclude=exclude)
    rescan(app)
    present = {name for name, state in files(app).items() if state == "present"}
    assert present == {"1998/red_1.png", "1998/red_2.png"}
    report = rescan(app)
    assert (report.added, report.missing, report.refreshed) == (0, 0, 0)


def test_a_pattern_that_is_added_later_moves_what_it_excludes_to_the_bin_and_back(app: App, archive: Path) -> None:
    report = app.ingest(archive, "c", exclude=["red_0*"])
    assert any("1 picture excluded now, moved to the bin" in remark for remark in report.remarks)
    assert (len(app.titles("c")), app.sources.count_missing("c")) == (5, 0)
    app.ingest(archive, "c", exclude=[])
    assert len(app.titles("c")) == 6


def test_a_folder_that_was_removed_and_is_added_again_brings_its_pictures_back(app: App, archive: Path) -> None:
    app.sources.remove(OPERATOR, "c", str(archive))
    assert app.titles("c") == {}
    report = app.ingest(archive, "c")
    assert (report.removed, len(app.titles("c"))) == (0, 6)


def test_a_pruned_file_that_reappears_is_back(app: App, archive: Path) -> None:
    path = archive / "1998" / "red_0.png"
    content = path.read_bytes()
    path.unlink()
    rescan(app)
    app.sources.prune(OPERATOR, "c")
    path.write_bytes(content)
    rescan(app)
    assert len(app.titles("c")) == 6


def test_a_picture_in_the_mount_point_of_a_disk_that_is_away_changes_nothing(app: App, archive: Path) -> None:
    before = files(app)
    archive.rename(archive.with_name("away"))
    archive.mkdir()
    paint(archive / "1998", "blue", 1)
    for _ in range(2):
        assert (rescan(app).added, files(app)) == (0, before)


def test_an_interrupted_edit_that_was_then_moved_leaves_no_ghost(
    app: App, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive / "1998" / "red_0.png"
    old = id_of(path)
    new = repaint(path)
    with monkeypatch.context() as killed:
        killed.setattr("core.ingest.source_ingest.SourceScan.settle", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            rescan(app)
    path.rename(archive / "1998" / "moved.png")
    rescan(app)
    assert old not in app.titles("c")
    assert app.clusters.successors("c").id(old) == new
    assert app.sources.count_missing("c") == 0


@pytest.mark.parametrize("change", ["nothing", "moved", "edited"])
def test_words_and_source_of_a_version_that_recorded_less_are_kept(app: App, archive: Path, change: str) -> None:
    table, path = open_table(app.settings.data, "c"), archive / "1998" / "red_0.png"

    def as_before(asset: Asset) -> Asset:
        place = Location(asset.locations[0].uri, "Archive")
        return replace(asset, locations=(place,), about=Description(title="Alpha", author="CafÃ©"))

    table.edit([id_of(path)], as_before)
    app.sources.remove(OPERATOR, "c", str(archive))
    app.removal.restore(OPERATOR, "c", app.removal.removed_ids("c"))
    if change == "moved":
        path = path.rename(archive / "2003" / "red_0.png")
    elif change == "edited":
        repaint(path)
    app.ingest(archive, "c")
    asset = table.metadata(id_of(path))
    assert asset is not None
    assert (asset.about.title, asset.sources) == ("Alpha", ("Archive",))


def test_a_file_that_is_moved_onto_the_place_of_another_is_no_edit_of_it(app: App, archive: Path) -> None:
    folder = archive / "1998"
    first, second, third = (id_of(folder / f"red_{number}.png") for number in range(3))
    app.quality.judging.judge(ADA, "c", "red", Vote(first, True, "vector", 1))
    (folder / "red_1.png").replace(folder / "red_0.png")
    (folder / "red_2.png").replace(folder / "red_1.png")
    report = rescan(app)
    assert (report.replaced, report.missing) == (0, 1)
    assert app.quality.judging.votes(ADA, "c", "red") == {first: True}
    assert [asset.id for asset, _ in app.sources.missing("c")] == [first]
    assert app.clusters.successors("c").by_id == {}
    assert {second, third} <= set(app.titles("c"))
    assert settled(app)
    assert app.sources.prune(OPERATOR, "c") == 1


def test_two_files_that_swap_their_names_are_both_themselves(app: App, archive: Path) -> None:
    one, other = archive / "1998" / "red_0.png", archive / "1998" / "red_1.png"
    ids = id_of(one), id_of(other)
    one.rename(archive / "x")
    other.rename(one)
    (archive / "x").rename(other)
    report = rescan(app)
    assert (report.added, report.replaced, report.missing) == (0, 0, 0)
    titles = app.titles("c")
    assert (titles[ids[0]], titles[ids[1]]) == ("red_1.png", "red_0.png")
    assert settled(app)


def test_what_a_killed_scan_found_out_stays_when_another_file_has_that_place_by_then(
    app: App, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, aside = archive / "1998" / "red_0.png", archive / "1998" / "red_1.png", archive / "aside"
    old = id_of(first)
    app.quality.judging.judge(ADA, "c", "red", Vote(old, True, "vector", 1))
    new = repaint(first, "darkred")
    with monkeypatch.context() as killed:
        killed.setattr("core.ingest.source_ingest.SourceScan.settle", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError, match="division"):
            rescan(app)
    for source, target in ((first, aside), (second, first), (aside, second)):
        source.rename(target)
    with monkeypatch.context() as killed:
        killed.setattr("core.store.lance.table.AssetTable.remove", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError, match="division"):
            rescan(app)
    rescan(app)
    assert app.quality.judging.votes(ADA, "c", "red") == {new: True}
    assert settled(app)


def test_remarks_on_several_sources_name_theirs(app: App, archive: Path, tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    table.write_text("file,title\nnot there.jpg,x\n")
    paint(tmp_path / "scans", "blue", 2)
    app.ingest(tmp_path / "scans", "c", captions=table)
    remarks = app.sources.rescan(OPERATOR, "c", RescanOptions()).remarks
    assert [remark.split(";")[0] for remark in remarks] == ["scans: captions: 0 of 1 row matched"]
    (alone,) = app.sources.rescan(OPERATOR, "c", RescanOptions((str(tmp_path / "scans"),))).remarks
    assert alone.startswith("captions: 0 of 1 row matched")


def test_what_would_go_to_the_bin_with_a_source_is_what_goes(app: App, archive: Path, tmp_path: Path) -> None:
    other = tmp_path / "scans"
    paint(other, "blue", 2)
    shutil.copy(next((archive / "1998").iterdir()), other / "copy.png")
    app.ingest(other, "c")
    expected = app.sources.count_only_in("c", str(other))
    assert expected == app.sources.remove(OPERATOR, "c", str(other)) == 2
