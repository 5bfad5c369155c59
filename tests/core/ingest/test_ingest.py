from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.app import App
from core.embedding.look_ahead import look_ahead
from core.errors import CollectionBusy, CollectionError, ContactSheetError, ModelUnavailable
from core.ingest import pipeline
from core.records.assets import ModelCard
from core.records.jobs import Progress
from core.store.lance.collections import Collections
from core.store.objects.locks import ingest_lock
from tests.conftest import load_colour
from tests.fakes.encoder import ColourEncoder


def rows(app: App, collection: str = "c") -> dict[str, tuple[str, ...]]:
    return {hit.asset.id: hit.asset.uris for hit in app.searches.browse(collection, 1000).hits}


def test_every_picture_becomes_an_asset_with_thumbnail_and_size(app: App, pictures: Path) -> None:
    report = app.ingest(pictures, "c")
    assert (report.added, report.known, report.failures) == (3, 0, ())
    hits = app.searches.browse("c").hits
    assert {(h.asset.title, h.asset.width, h.asset.height, h.asset.orientation) for h in hits} == {
        ("red.png", 40, 20, "landscape"),
        ("green.jpg", 20, 40, "portrait"),
        ("blue.webp", 30, 30, "square"),
    }
    assert all(h.thumbnail.startswith(b"\xff\xd8") and h.asset.sources == ("pictures",) for h in hits)


def test_known_bytes_are_skipped_without_calling_the_encoder(app: App, pictures: Path, encoder: ColourEncoder) -> None:
    app.ingest(pictures, "c")
    (pictures / "red.png").rename(pictures / "renamed.png")
    shutil.copy(pictures / "green.jpg", pictures / "copy.jpg")
    report = app.ingest(pictures, "c")
    assert (report.added, report.known, encoder.encoded_images) == (0, 4, 3)
    places = {Path(uri).name for uris in rows(app).values() for uri in uris}
    assert places == {"renamed.png", "green.jpg", "copy.jpg", "blue.webp"}


def test_the_same_bytes_twice_in_one_run_are_one_asset_with_two_places(
    app: App, pictures: Path, encoder: ColourEncoder
) -> None:
    shutil.copy(pictures / "red.png", pictures / "zebra.png")
    report = app.ingest(pictures, "c")
    assert (report.added, report.known, encoder.encoded_images) == (3, 1, 3)
    assert sorted(len(uris) for uris in rows(app).values()) == [1, 1, 2]


def test_bad_files_are_reported_with_their_reason_and_every_good_neighbour_is_kept(app: App, pictures: Path) -> None:
    (pictures / "empty.jpg").touch()
    (pictures / "text.jpg").write_text("hello")
    (pictures / "gone.png").symlink_to(pictures / "nowhere")
    (pictures / "cut.png").write_bytes((pictures / "red.png").read_bytes()[:60])
    report = app.ingest(pictures, "c")
    assert report.added == 3
    assert {Path(f.uri).name: f.reason for f in report.failures} == {
        "empty.jpg": "empty file",
        "text.jpg": "not an image in a supported format",
        "gone.png": "dangling link",
        "cut.png": "truncated",
    }


def test_a_vector_that_is_not_finite_costs_only_its_picture(app: App, pictures: Path, encoder: ColourEncoder) -> None:
    plain = encoder.encode_pixels

    def broken(pixels: np.ndarray) -> np.ndarray:
        vectors = plain(pixels)
        vectors[0] = np.nan
        return vectors

    encoder.encode_pixels = broken  # type: ignore[method-assign]
    report = app.ingest(pictures, "c")
    assert (report.added, [f.reason for f in report.failures]) == (2, ["no finite vector"])


def test_names_that_are_not_utf8_are_stored_percent_encoded(app: App, pictures: Path) -> None:
    odd = Path(str(pictures) + "/\udcff\udcfe.png")
    shutil.copy(pictures / "red.png", odd)
    (pictures / "red.png").unlink()
    assert app.ingest(pictures, "c").added == 3
    asset = app.search("red", "c", 1).hits[0].asset
    assert asset.uris[0].endswith("/%FF%FE.png")
    found = app.original(asset)
    assert found is not None
    assert found[0] == odd


def test_captions_from_a_sidecar_are_stored_and_do_not_change_the_vector(
    app: App, pictures: Path, tmp_path: Path
) -> None:
    sidecar = tmp_path / "captions.csv"
    sidecar.write_text("file,title,keywords,source,licence\nred.png,A blue thing,blue;sky,archive,CC0\n")
    app.ingest(pictures, "with", captions=sidecar)
    app.ingest(pictures, "without")
    described = app.search("red", "with", 1).hits[0]
    plain = app.search("red", "without", 1).hits[0]
    assert (described.asset.title, described.asset.about.keywords) == ("A blue thing", ("blue", "sky"))
    assert (described.asset.sources, described.asset.about.licence) == (("archive",), "CC0")
    assert described.similarity == plain.similarity
    assert described.asset.id == plain.asset.id


def test_an_interrupted_ingest_resumes_where_it_stopped(
    app: App, pictures: Path, encoder: ColourEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        Image.new("RGB", (10, 10), (number * 12, 0, 0)).save(pictures / f"n{number:02}.png")
    monkeypatch.setattr(pipeline, "COMMIT_ASSETS", 4)
    encode, calls = encoder.encode_pixels, 0

    def fails_later(pixels: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return encode(pixels)

    encoder.encode_pixels = fails_later  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        app.ingest(pictures, "c")
    committed = len(rows(app))
    encoder.encode_pixels = encode  # type: ignore[method-assign]
    encoder.encoded_images = 0
    report = app.ingest(pictures, "c")
    assert committed == 12
    assert (report.added, report.known, encoder.encoded_images) == (11, 12, 11)
    assert len(rows(app)) == 23


def test_a_known_file_seen_before_its_twin_is_committed_keeps_both_places(
    app: App, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "COMMIT_INTERVAL_S", 0.0)
    shutil.copy(pictures / "green.jpg", pictures / "green2.jpg")
    app.ingest(pictures, "c")
    assert sorted(len(uris) for uris in rows(app).values()) == [1, 1, 2]


def test_progress_names_phases_counts_and_ends_complete(app: App, pictures: Path) -> None:
    seen: list[Progress] = []
    app.ingest(pictures, "c", listener=seen.append)
    assert [p.phase for p in seen] == sorted(
        {p.phase for p in seen}, key=["load model", "scan", "embed", "compact"].index
    )
    assert (seen[-2].done, seen[-2].total, seen[-2].phase) == (3, 3, "embed")
    assert seen[-2].rate > 0


def test_a_second_ingest_into_a_collection_is_refused(app: App, pictures: Path) -> None:
    app.ingest(pictures, "c")
    folder = app.settings.data / "collections" / "c"
    with ingest_lock(folder), pytest.raises(CollectionBusy, match="another ingest into c"):
        app.ingest(pictures, "c")


def test_a_folder_without_pictures_makes_no_collection(app: App, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert app.ingest(tmp_path / "empty", "c").added == 0
    assert app.existing_collections() == []


def test_wrong_folders_and_names_are_refused_before_anything_is_written(
    app: App, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ContactSheetError, match="does not exist"):
        app.ingest(tmp_path / "nowhere", "c")
    with pytest.raises(CollectionError, match="cannot name a collection"):
        app.ingest(pictures, "../c")
    assert app.collections() == []


def test_a_collection_whose_model_has_changed_takes_no_more_pictures(
    app: App, pictures: Path, encoder: ColourEncoder
) -> None:
    app.ingest(pictures, "c")
    other = ColourEncoder()
    other.card = ModelCard("colour", "fake-2", 4)
    changed = App(app.settings, Collections(app.settings.data / "collections"), load_colour(other))
    with pytest.raises(ModelUnavailable, match=r"fake-1.*now is fake-2"):
        changed.ingest(pictures, "c")
    with pytest.raises(ModelUnavailable, match="restore the model"):
        changed.search("red", "c")
    assert changed.searches.browse("c").matching == 3


def test_decoding_looks_ahead_a_bounded_distance_and_keeps_the_order() -> None:
    from concurrent.futures import ThreadPoolExecutor

    started: list[int] = []

    def task(number: int) -> int:
        started.append(number)
        return number

    with ThreadPoolExecutor(2) as pool:
        ahead = look_ahead(pool, task, iter(range(100)), 5)
        first = [next(ahead).result() for _ in range(3)]
        assert max(started) <= 3 + 5
        assert first + [future.result() for future in ahead] == list(range(100))


def test_a_large_turned_jpeg_keeps_the_size_it_has_when_it_stands_upright(app: App, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "large").mkdir()
    Image.new("RGB", (3000, 2000), "red").save(tmp_path / "large" / "turned.jpg", exif=exif)
    app.ingest(tmp_path / "large", "c")
    asset = app.searches.browse("c").hits[0].asset
    assert (asset.width, asset.height) == (2000, 3000)
