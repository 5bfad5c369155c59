from __future__ import annotations

import io
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.embedding import images
from core.errors import BadImage
from core.ingest.metadata.embedded import embedded_description
from tests.fakes import camera_raw
from tests.fakes.camera_raw import EVERY_RAW, jpeg
from tests.fakes.odd_pictures import XMP


@pytest.mark.parametrize("name", EVERY_RAW)
def test_a_raw_is_read_by_its_largest_preview_with_its_own_metadata(name: str) -> None:
    opened = images.open_image(EVERY_RAW[name](jpeg((640, 480), "red")))
    picture = images.upright_rgb(opened)
    assert opened.format == "RAW"
    assert picture.size == (640, 480)
    assert np.allclose(np.asarray(picture)[100, 100], (254, 0, 0), atol=3)
    about = embedded_description(opened)
    assert about.author == "Ada"
    assert about.created is not None
    assert about.created.start.year == 2019


@pytest.mark.parametrize("name", EVERY_RAW)
def test_a_raws_orientation_turns_a_preview_that_has_none(name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    lying = EVERY_RAW[name](jpeg((640, 480), "red"), 6)
    own = EVERY_RAW[name](jpeg((640, 480), "red", exif=exif), 6)
    assert images.decode(lying).size == (480, 640)
    opened = images.open_image(lying)
    images.upright_rgb(opened)
    assert images.upright_size((640, 480), opened) == (480, 640)
    assert images.decode(own).size == (640, 480)


def test_a_raf_is_read_by_its_preview_and_that_ones_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[315] = 8, "Ada"
    opened = images.open_image(camera_raw.raf(jpeg((640, 480), "red", exif=exif)))
    assert images.upright_rgb(opened).size == (480, 640)
    assert embedded_description(opened).author == "Ada"


@pytest.mark.parametrize("build", [camera_raw.dng, camera_raw.cr3])
def test_a_raws_packet_of_xmp_is_read(build: type) -> None:
    opened = images.open_image(build(jpeg((640, 480), "red"), xmp=XMP))
    assert opened.info["xmp"] == XMP
    assert embedded_description(opened).title == "Title"


@pytest.mark.parametrize("signature", [b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR"])
def test_raws_that_are_built_otherwise_are_searched_for_their_preview(signature: bytes) -> None:
    data = signature + bytes(100) + jpeg((160, 120), "blue") + bytes(50) + jpeg((640, 480), "red") + bytes(400)
    assert images.decode(data).size == (640, 480)


def test_a_tile_of_a_lossy_dng_is_not_taken_for_its_preview() -> None:
    writer = camera_raw.TiffWriter("<")
    tile = writer.append(jpeg((640, 480), "blue"))
    rows = [camera_raw.short("<", 259, 34892), camera_raw.short("<", 262, 34892), (50706, 1, b"\1\4\0\0")]
    rows += [camera_raw.long("<", 273, tile), camera_raw.long("<", 279, 5000)]
    with pytest.raises(BadImage, match=r"not supported .*no preview was found"):
        images.decode(writer.file(writer.add(rows)))


def test_a_cr3_without_a_track_of_jpeg_is_read_by_its_preview_box() -> None:
    assert images.decode(camera_raw.cr3(jpeg((640, 480), "red"), in_track=False)).size == (640, 480)


def test_a_raw_that_has_but_a_thumbnail_is_read_by_it_if_it_cannot_be_developed() -> None:
    assert images.decode(camera_raw.cr2(b"\0" * 64)).size == (16, 12)


@pytest.mark.parametrize("name", sorted(set(EVERY_RAW) - {"CR2"}))
def test_a_raw_without_a_preview_is_not_supported_and_never_called_damaged(name: str) -> None:
    with pytest.raises(BadImage, match=r"not supported .*no preview was found"):
        images.decode(EVERY_RAW[name](b"\0" * 64), "1.tif")


def test_a_file_cut_off_in_its_preview_is_truncated() -> None:
    noise = io.BytesIO()
    Image.effect_noise((640, 480), 90).save(noise, "JPEG")
    data = camera_raw.raf(noise.getvalue())
    with pytest.raises(BadImage, match="truncated"):
        images.decode(data[: len(data) // 2])


def test_without_rawpy_the_error_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['rawpy'] = None\n"
        "from core.embedding import images\n"
        "from tests.fakes.camera_raw import nef\n"
        "try: images.decode(nef(bytes(64)))\n"
        "except images.BadImage as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install -r requirements-raw.txt" in done.stdout


def test_a_raw_without_a_preview_is_developed_upright_with_rawpy() -> None:
    pytest.importorskip("rawpy")
    data = camera_raw.sensor_dng(6)
    opened = images.open_image(data)
    assert images.upright_rgb(opened).size == opened.size == (64, 96)
    assert images.upright_size(opened.size, opened) == (64, 96)
    assert embedded_description(opened).author == "Ada"


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
@pytest.mark.parametrize("name", [*EVERY_RAW, "RAF"])
def test_exiftool_takes_our_files_for_raws_and_finds_the_same_preview_and_metadata(name: str, tmp_path: Path) -> None:
    preview = jpeg((640, 480), "red")
    build = {**EVERY_RAW, "RAF": camera_raw.raf, "CR3": partial(camera_raw.cr3, in_track=False)}[name]
    path = tmp_path / f"a.{name.lower()}"
    path.write_bytes(build(preview))

    def ask(*options: str) -> bytes:
        return subprocess.run(["exiftool", *options, str(path)], capture_output=True, check=True).stdout

    assert ask("-s3", "-FileType").decode().strip() == {"CR3": "CRX", "RW2": "RAW"}.get(name, name)
    found = [ask("-b", f"-{tag}") for tag in ("PreviewImage", "JpgFromRaw")]
    if name != "ORF":  # whose maker notes are a place alone here
        assert preview in found
    if name != "RAF":
        path.write_bytes(images.open_image(build(preview)).info["exif"].removeprefix(b"Exif\0\0"))
        assert ask("-s3", "-Artist", "-DateTimeOriginal").decode().split("\n")[:2] == ["Ada", "2019:07:14 05:12:09"]


def test_a_loop_of_directories_ends() -> None:
    writer = camera_raw.TiffWriter("<")
    at = writer.end
    rows = [camera_raw.long("<", 330, at, at, 8), camera_raw.short("<", 262, 32803)]
    assert writer.add(rows, at) == at
    with pytest.raises(BadImage, match="not supported"):
        images.decode(writer.file(at))
