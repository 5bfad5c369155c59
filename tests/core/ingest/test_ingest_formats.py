"""A folder as people have it: RAW files, old suffixes, no suffix, a picture that lacks its end."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.app import App
from core.records.encoded_images import ImageFile
from core.store.objects.names import uri_to_path
from tests.fakes.camera_raw import EVERY_RAW, jpeg, raf
from tests.fakes.odd_pictures import picture, saved
from tests.fakes.tiffs import tiff


@pytest.mark.parametrize("name", ["raw.nef", "scan.tif", "b.jp2"])
def test_what_no_browser_shows_is_shown_as_a_jpeg(app: App, tmp_path: Path, name: str) -> None:
    files = {"raw.nef": EVERY_RAW["NEF"](jpeg((640, 480), "red")), "b.jp2": saved(picture("RGB"), "JPEG2000")}
    data = files.get(name) or tiff(np.zeros((9, 9), np.float64))
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive" / name).write_bytes(data)
    assert app.ingest(tmp_path / "archive", "c").added == 1
    (asset_id,) = (hit.asset.id for hit in app.searches.browse("c", 9).hits)
    shown = app.images.original("c", asset_id)
    assert isinstance(shown, ImageFile)
    assert (shown.media_type, Image.open(io.BytesIO(shown.data)).format) == ("image/jpeg", "JPEG")


def test_every_format_under_every_name_is_ingested(app: App, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    pictures = {f"raw.{name.lower()}": build(jpeg((640, 480), "red")) for name, build in EVERY_RAW.items()}
    pictures |= {"raw.raf": raf(jpeg((640, 480), "blue")), "camera.tif": EVERY_RAW["NEF"](jpeg((800, 600), "green"))}
    pictures |= {f"a.{suffix}": jpeg((64, 48 + n), "red") for n, suffix in enumerate(("jfif", "jpe", "JPG", "mpo"))}
    wide = Image.new("RGB", (64, 32), "red")
    pictures |= {f"b.{suffix}": saved(wide, "JPEG2000") + bytes([n]) for n, suffix in enumerate(("jp2", "jpx", "jpf"))}
    pictures |= {"b.j2k": saved(wide, "JPEG2000", no_jp2=True), "c.hif": saved(wide, "HEIF")}
    pictures |= {"no suffix": saved(wide, "PNG"), "cut.jpg": jpeg((99, 98), "red")[:-2]}
    for name, data in pictures.items():
        (folder / name).write_bytes(data)
    report = app.ingest(folder, "c")
    assert report.failures == ()
    assert report.added == len(pictures)
    hits = app.searches.browse("c", 100).hits
    by_name = {uri_to_path(hit.asset.uris[0]).name: hit.asset for hit in hits}
    assert set(by_name) == set(pictures)
    assert {(asset.about.author, asset.width) for name, asset in by_name.items() if name == "raw.nef"} == {("Ada", 640)}
