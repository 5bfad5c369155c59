"""The coordinates where a picture was taken go to no model and to nobody else, unless the setting says so."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from core.access import OPERATOR, Person
from core.app import App
from core.clusters.views.export import FORMATS, export_centroids, export_clustering
from core.clusters.views.print_sheet import render_print_sheet
from core.logs import ROOT_LOGGER
from tests.fakes.exiftool import ExifTool
from tests.fakes.gemini import MockGeminiServer
from tests.fakes.gemini_app import ranking_app
from tests.fakes.gemini_client import KEY
from tests.fakes.image_server import server
from tests.fakes.named_clusters import publish_named

# 38.712345 N, 9.134567 W, as text and as the rationals and degrees, minutes and seconds that files hold.
TRACES = re.compile(rb"38[.,]71|9[.,]1345|38,42|GPS|latitude|longitude", re.IGNORECASE)
LISBON = [
    *(
        "-EXIF:GPSLatitude=38.712345",
        "-EXIF:GPSLatitudeRef=N",
        "-EXIF:GPSLongitude=9.134567",
        "-EXIF:GPSLongitudeRef=W",
    ),
    *("-XMP-exif:GPSLatitude=38.712345", "-XMP-exif:GPSLongitude=-9.134567", "-XMP-dc:Title=Red quay"),
]


@pytest.fixture
def mock_server() -> Iterator[MockGeminiServer]:
    with MockGeminiServer(KEY) as running:
        yield running


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, colour in (("p.jpg", "red"), ("q.jpg", "#c00000")):
        Image.new("RGB", (640, 480), colour).save(folder / name)
    ExifTool().write({folder / "p.jpg": LISBON, folder / "q.jpg": LISBON})
    return folder


def located_app(tmp_path: Path, pictures: Path, address: str, share: bool = False) -> App:
    app = ranking_app(tmp_path / "data", tmp_path / "data", address, rank_deadline_s=30.0, share_location=share)
    app.ingest(pictures, "c")
    return app


@pytest.mark.parametrize("send", ["images", "sheet"])
def test_no_coordinates_reach_a_model_a_receipt_or_a_log(
    tmp_path: Path,
    pictures: Path,
    mock_server: MockGeminiServer,
    send: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG, ROOT_LOGGER)
    monkeypatch.setattr(logging.getLogger(ROOT_LOGGER), "handlers", [caplog.handler])
    app = ranking_app(tmp_path / "data", tmp_path / "data", mock_server.address, rank_send=send, rank_deadline_s=30.0)
    app.ingest(pictures, "c")
    answer = app.search("red", "c", ranked=True)
    assert all(hit.asset.about.place.has_gps for hit in answer.hits)  # they are known here
    assert len(mock_server.requests) == 1
    # What is sent as base64 is a JPEG of ours.
    logged = [record.getMessage() for record in caplog.records if record.name.startswith(ROOT_LOGGER)]
    for document in (mock_server.requests[0], answer.receipt(), logged):
        assert not TRACES.search(json.dumps(document, default=str).encode())
    assert not any(TRACES.search(hit.thumbnail) for hit in answer.hits)


def test_no_coordinates_are_in_clusters_that_leave_the_house(tmp_path: Path, pictures: Path) -> None:
    app = located_app(tmp_path, pictures, "")
    revision = publish_named(app, {"Harbour": ["p.jpg", "q.jpg"]})
    clustering = app.clusters.clustering(revision.id)
    files = [export_clustering(revision, clustering, app.titles("c"), each) for each in FORMATS]
    sheet = render_print_sheet("Harbour", "2 pictures", app.pictures("c", list(app.titles("c"))))
    app.sidecars.write(OPERATOR, "c")
    written = [path.read_bytes() for path in pictures.glob("*.xmp")]
    assert len(written) == 2
    for content in (*files, export_centroids(clustering), sheet, *written):
        assert not TRACES.search(content)


@pytest.mark.parametrize("kind", ["thumbnail", "view", "original", "download"])
@pytest.mark.parametrize("share", [False, True])
def test_images_are_served_without_coordinates_unless_the_setting_says_so(
    tmp_path: Path, pictures: Path, kind: str, share: bool
) -> None:
    app = located_app(tmp_path, pictures, "", share)
    asset_id = next(i for i, title in app.titles("c").items() if title)
    with TestClient(server(lambda: app), base_url="http://localhost") as client:
        answer = client.get(f"/images/c/{asset_id}/{kind}")
        again = client.get(f"/images/c/{asset_id}/{kind}", headers={"If-None-Match": answer.headers["etag"]})
    assert (answer.status_code, again.status_code) == (200, 304)
    assert answer.headers["content-length"] == str(len(answer.content))
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "p.jpg").write_bytes(answer.content)
    tags = ExifTool().read(tmp_path / "served")["p.jpg"]
    assert any("GPS" in tag for tag in tags) is (share and kind in ("original", "download"))
    assert ("XMP-dc:Title" in tags) is (kind in ("original", "download"))


def test_a_browser_that_has_the_whole_original_is_sent_the_other_one(tmp_path: Path, pictures: Path) -> None:
    tags = set()
    for share in (True, False):
        app = located_app(tmp_path, pictures, "", share)
        with TestClient(server(lambda app=app: app), base_url="http://localhost") as client:
            tags.add(client.get(f"/images/c/{next(iter(app.titles('c')))}/download").headers["etag"])
    assert len(tags) == 2


def test_an_original_whose_coordinates_cannot_be_removed_is_shown_as_its_view(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (64, 48), "red").save(tmp_path / "pictures" / "p.jp2")
    app = located_app(tmp_path, tmp_path / "pictures", "")
    asset_id = next(iter(app.titles("c")))
    with TestClient(server(lambda: app), base_url="http://localhost") as client:
        assert client.get(f"/images/c/{asset_id}/original").headers["content-type"] == "image/jpeg"
        assert client.get(f"/images/c/{asset_id}/download").status_code == 404


def test_curators_are_shown_where_a_picture_was_taken_and_viewers_by_the_setting(
    tmp_path: Path, pictures: Path
) -> None:
    ada, eve = Person("Ada", over_loopback=True), Person("Eve", visitor="192.0.2.9")
    app = located_app(tmp_path, pictures, "")
    assert (app.shows_location(ada), app.shows_location(eve)) == (True, False)
    assert located_app(tmp_path, pictures, "", share=True).shows_location(eve)
