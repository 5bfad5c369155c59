"""Adding an Unsplash dataset from a synthetic server on this machine, through the real pipeline."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.errors import CollectionBusy, ContactSheetError
from core.ingest.http.fetcher import FETCH_RETRIES
from core.ingest.http.rate_limiter import RateLimit
from core.ingest.sources import unsplash_images
from core.ingest.sources.unsplash import UnsplashIngest, UnsplashOptions, assets_by_photo, count_by_reason
from core.records.assets import Asset, utc_now
from core.records.jobs import Cancelled, Failure, Progress
from core.store.objects.locks import ingest_lock
from tests.fakes.colour_app import contents, open_table
from tests.fakes.encoder import ColourEncoder
from tests.fakes.killed_unsplash import unsplash
from tests.fakes.unsplash import HOST, PERMANENT, FakeUnsplash, loopback_environment, photo_id

COUNT, WIDTH = 60, 64
OPTIONS = UnsplashOptions(width=WIDTH)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("synthetic")


@pytest.fixture
def faulty(pictures: Path) -> Iterator[FakeUnsplash]:
    """60 photos; 12 with a fault, two of each kind."""
    with FakeUnsplash(pictures, COUNT, share=0.2) as server:
        yield server


@pytest.fixture
def flawless(pictures: Path) -> Iterator[FakeUnsplash]:
    with FakeUnsplash(pictures, COUNT) as server:
        yield server


def held(data: Path, collection: str = "c") -> dict[str, str]:
    return assets_by_photo(open_table(data, collection))


def assets(data: Path, collection: str = "c") -> dict[str, Asset]:
    table = open_table(data, collection)
    found = table.assets([raw.hex() for raw in table.ids()])
    return {asset.uris[0].rpartition("/")[2]: asset for asset, _ in found}


def test_every_available_photo_is_added_and_the_others_are_reported(faulty: FakeUnsplash, tmp_path: Path) -> None:
    report = unsplash(tmp_path).ingest(str(faulty.write_tables(tmp_path / "t")), "c", OPTIONS)
    assert held(tmp_path) == faulty.expected(WIDTH)
    assert (report.added, report.known) == (54, 0)
    assert Counter(f.reason for f in report.failures) == faulty.unavailable()
    unavailable = {photo for photo, kind in faulty.faults.items() if kind in PERMANENT}
    assert {f.uri for f in report.failures} == {f"https://unsplash.com/photos/{photo}" for photo in unavailable}
    assert all(f.detail.startswith(f"photo {f.uri.rpartition('/')[2]}: ") for f in report.failures)
    assert sorted(count_by_reason(report.failures).split(", ")) == [
        "2 an address that is not public",
        "2 not a picture",
        "2 not found",
    ]


def test_an_asset_keeps_who_took_it_where_in_which_colours_and_under_which_licence(
    flawless: FakeUnsplash, tmp_path: Path
) -> None:
    unsplash(tmp_path).ingest(str(flawless.write_zip(tmp_path / "dataset.zip")), "c", UnsplashOptions(WIDTH, limit=5))
    found = assets(tmp_path)
    asset = found[photo_id(4)]
    assert (asset.about.author, asset.sources[0], asset.uris) == (
        "user4",
        "unsplash",
        (f"https://unsplash.com/photos/{photo_id(4)}",),
    )
    assert found[photo_id(3)].about.author == "Zoë Number3"
    assert asset.about.title == "a hill behind house 4"
    assert asset.about.description == (
        "a hill behind house 4 · Location: Half Dome, Yosemite, United States · "
        "Colours: darkolivegreen #556B2F, beige #F5F5DC · Collections: Outside"
    )
    assert {"Said By A Person", "thing 4", "Yosemite", "darkolivegreen", "Outside"} <= set(asset.about.keywords)
    assert "https://unsplash.com/license" in asset.about.licence
    assert asset.about.created is not None
    assert asset.width == WIDTH
    assert asset.id == hashlib.sha256(flawless.picture(4, WIDTH)).hexdigest()


def test_a_second_run_fetches_only_what_failed(faulty: FakeUnsplash, tmp_path: Path) -> None:
    unsplash_ingest, tables = unsplash(tmp_path), str(faulty.write_tables(tmp_path / "t"))
    unsplash_ingest.ingest(tables, "c", OPTIONS)
    before = contents(open_table(tmp_path, "c"))
    faulty.requests.clear()
    report = unsplash_ingest.ingest(tables, "c", UnsplashOptions(width=WIDTH + 1))
    assert (report.added, report.known, len(report.failures)) == (0, 54, 6)
    assert set(faulty.requests) == {photo for photo, kind in faulty.faults.items() if kind in PERMANENT}
    assert contents(open_table(tmp_path, "c")) == before
    faulty.faults.clear()
    again = unsplash_ingest.ingest(tables, "c", replace(OPTIONS, only=tuple(f.uri for f in report.failures[:4])))
    assert (again.added, again.failures) == (4, ())
    assert held(tmp_path).items() <= faulty.expected(WIDTH).items()


def test_a_removed_photo_is_not_fetched_again_at_any_width(flawless: FakeUnsplash, tmp_path: Path) -> None:
    unsplash_ingest, tables = unsplash(tmp_path), str(flawless.write_tables(tmp_path / "t"))
    unsplash_ingest.ingest(tables, "c", UnsplashOptions(WIDTH, limit=4))
    table, (removed, *kept) = open_table(tmp_path, "c"), sorted(held(tmp_path).items())
    table.remove([removed[1]], "Ada", utc_now())
    flawless.requests.clear()
    unsplash_ingest.ingest(tables, "c", UnsplashOptions(WIDTH + 1, limit=4))
    assert (held(tmp_path), list(flawless.requests)) == (dict(kept), [])


def test_downloaded_files_are_not_fetched_again_unless_they_are_damaged(flawless: FakeUnsplash, tmp_path: Path) -> None:
    folder = tmp_path / "unsplash" / "c" / "photos"
    folder.mkdir(parents=True)
    for number, size in ((0, None), (1, 300), (2, 0)):
        digest = hashlib.sha256(photo_id(number).encode()).hexdigest()[:8]
        path = folder / f"{photo_id(number)}-{digest}-{WIDTH}.jpg"
        path.write_bytes(flawless.picture(number, WIDTH)[:size])
    (folder / "left over.part").touch()
    unsplash(tmp_path).ingest(str(flawless.write_tables(tmp_path / "t")), "c", UnsplashOptions(WIDTH, limit=4))
    assert set(flawless.requests) == {photo_id(n) for n in (1, 2, 3)}
    assert held(tmp_path) == flawless.expected(WIDTH, [photo_id(n) for n in range(4)])
    assert not folder.exists()


def test_files_are_removed_while_the_run_goes_on(
    flawless: FakeUnsplash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.ingest.sources.unsplash.COMMIT_ASSETS", 2)
    unsplash_ingest, peak = unsplash(tmp_path), [0]
    unsplash_ingest._settings = replace(unsplash_ingest._settings, batch_size=4)
    folder = tmp_path / "unsplash" / "c" / "photos"

    def count(_: Progress) -> None:
        peak[0] = max(peak[0], len(list(folder.glob("*.jpg"))))

    unsplash_ingest.ingest(str(flawless.write_tables(tmp_path / "t")), "c", UnsplashOptions(WIDTH, threads=2), count)
    assert 0 < peak[0] <= 2 + 4 * 4 + unsplash_images.FILES_AHEAD_PER_THREAD * 2 + 2
    assert len(held(tmp_path)) == COUNT


def test_photos_whose_ids_differ_by_case_alone_are_never_confused(flawless: FakeUnsplash, tmp_path: Path) -> None:
    assert photo_id(0).lower() == photo_id(1).lower()
    unsplash(tmp_path).ingest(str(flawless.write_tables(tmp_path / "t")), "c", UnsplashOptions(WIDTH, limit=2))
    assert held(tmp_path) == flawless.expected(WIDTH, [photo_id(0), photo_id(1)])


def test_an_undecodable_picture_is_retried_and_then_reported(
    flawless: FakeUnsplash, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = flawless.picture
    monkeypatch.setattr(flawless, "picture", lambda n, width: good(n, width)[: -400 if n == 1 else None])
    report = unsplash(tmp_path).ingest(str(flawless.write_tables(tmp_path / "t")), "c", UnsplashOptions(WIDTH, limit=3))
    assert [f.reason for f in report.failures] == ["truncated"]
    assert (report.added, flawless.requests[photo_id(1)]) == (2, FETCH_RETRIES.attempts)


def test_damaged_rows_are_among_the_failures(flawless: FakeUnsplash, tmp_path: Path) -> None:
    tables = flawless.write_tables(tmp_path / "t")
    with (tables / "photos.tsv001").open("a", encoding="utf-8") as file:
        file.write("half a row\n")
    reported: list[Progress] = []
    report = unsplash(tmp_path).ingest(str(tables), "c", OPTIONS, reported.append)
    assert report.failures == (Failure("photos.tsv001:42", "damaged row", "1 columns instead of 31"),)
    assert (report.added, reported[-1].done, reported[-1].total) == (COUNT, COUNT + 1, COUNT + 1)


def test_a_run_can_be_cancelled_while_no_picture_arrives(flawless: FakeUnsplash, tmp_path: Path) -> None:
    slow = loopback_environment(RateLimit(requests_per_s=0.001))
    unsplash_ingest = unsplash(tmp_path)
    unsplash_ingest = UnsplashIngest(unsplash_ingest._runner, unsplash_ingest._settings, frozenset({HOST}), slow)
    cancelled = threading.Event()

    def cancel(progress: Progress) -> None:
        if progress.phase == "embed":
            cancelled.set()
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough") as stop:
        unsplash_ingest.ingest(str(flawless.write_tables(tmp_path / "t")), "c", OPTIONS, cancel)
    assert cancelled.is_set()
    assert stop.value.report is not None
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("unsplash")]


def test_a_cancelled_run_goes_on_where_it_stopped(flawless: FakeUnsplash, tmp_path: Path) -> None:
    tables = str(flawless.write_tables(tmp_path / "t"))

    def cancel(progress: Progress) -> None:
        if progress.phase == "embed" and progress.done >= 24:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough") as stop:
        unsplash(tmp_path).ingest(tables, "c", OPTIONS, cancel)
    assert stop.value.report is not None
    kept = stop.value.report.added
    report = unsplash(tmp_path).ingest(tables, "c", OPTIONS)
    assert kept >= 20
    assert (report.added, report.known) == (COUNT - kept, kept)
    assert held(tmp_path) == flawless.expected(WIDTH)
    assert max(flawless.requests.values()) == 1


def test_a_dead_server_ends_the_run_instead_of_failing_photo_by_photo(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsplash_images, "MAX_CONSECUTIVE_FAILURES", 10)
    with FakeUnsplash(pictures, COUNT) as stopped_server:
        tables = stopped_server.write_tables(tmp_path / "t")
    with pytest.raises(
        ContactSheetError, match=r"10 photos in a row .* cannot be reached .* what was committed is kept: check"
    ):
        unsplash(tmp_path).ingest(str(tables), "c", OPTIONS)


def test_two_runs_into_one_collection_at_once_are_refused(flawless: FakeUnsplash, tmp_path: Path) -> None:
    with ingest_lock(tmp_path / "unsplash" / "c"), pytest.raises(CollectionBusy, match="another ingest into c"):
        unsplash(tmp_path).ingest(str(flawless.write_tables(tmp_path / "t")), "c", OPTIONS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (UnsplashOptions(width=10), "a width of 10 pixels"),
        (UnsplashOptions(threads=0), "0 threads cannot download"),
        (UnsplashOptions(limit=0), "a limit of 0 photos"),
    ],
)
def test_impossible_options_are_refused_before_anything_is_written(
    tmp_path: Path, options: UnsplashOptions, message: str
) -> None:
    with pytest.raises(ContactSheetError, match=message):
        unsplash(tmp_path).ingest(str(tmp_path), "c", options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("/no/such/folder", "does not exist: name a folder, a ZIP or the address of one"),
        ("https://[::1", "the address of the dataset is malformed"),
        ("ftp://images.example/x.zip", "it begins with 'ftp'"),
        ("http://inside.example/x.zip", "an address that is not public"),
    ],
)
def test_locations_without_a_dataset_are_refused(tmp_path: Path, location: str, message: str) -> None:
    with pytest.raises(ContactSheetError, match=message):
        unsplash(tmp_path).ingest(location, "c", OPTIONS)


def test_known_bytes_are_not_encoded_again(flawless: FakeUnsplash, tmp_path: Path) -> None:
    encoder, tables = ColourEncoder(), str(flawless.write_tables(tmp_path / "t"))
    unsplash(tmp_path, encoder=encoder).ingest(tables, "c", UnsplashOptions(WIDTH, limit=8))
    unsplash(tmp_path, encoder=encoder).ingest(tables, "c", UnsplashOptions(WIDTH, limit=12))
    assert encoder.encoded_images == 12
    with Image.open(flawless.folder / "pictures" / f"0-{WIDTH}.jpg") as picture:
        assert picture.width == WIDTH
