"""Files that promise more than they hold: settled within bounded memory, and a good picture is never lost to them."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.app import App
from core.embedding import images
from core.embedding.look_ahead import MemoryBudget
from core.errors import BadImage
from core.ingest.metadata.embedded import embedded_description
from core.settings import PROJECT
from tests.fakes.odd_pictures import huge_jpeg, picture, png, saved, tiff, with_canvas


def nested_subjects(depth: int) -> bytes:
    return (
        b'<a xmlns:dc="http://purl.org/dc/elements/1.1/">'
        + b"<dc:subject>" * depth
        + b"</dc:subject>" * depth
        + b"</a>"
    )


LIES = {
    "png-ztxt": png(4, 3, (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64_000_000)))),
    "png-itxt": png(4, 3, (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(64_000_000)))),
    "png-iccp": png(4, 3, (b"iCCP", b"p\0\0" + zlib.compress(bytes(64_000_000)))),
    "png-many": png(4, 3, *[(b"zTXt", b"c%d\0\0" % i + zlib.compress(bytes(9_000_000))) for i in range(20)]),
    "png-short": png(20_000, 9_000, pixels=zlib.compress(b"\0" * 1000)),
    "tiff-gigabytes": tiff((270, 2, 0x7FFFFFFF, 8), (700, 1, 0xFFFFFFF0, 8), (34675, 7, 0xFFFFFFF0, 8)),
    "tiff-loop": tiff(next_directory=20),
    "tiff-exif-loop": tiff((34665, 4, 1, 20), (330, 4, 1, 20), (34853, 4, 1, 20)),
    "tiff-strips": tiff((273, 4, 0x0FFFFFFF, 8), (279, 4, 0x0FFFFFFF, 8)),
    "tiff-wide": tiff((256, 4, 1, 0x7FFFFFFF), (257, 4, 1, 0x7FFFFFFF)),
    "tiff-rows": tiff((278, 4, 1, 0x7FFFFFFF), (279, 4, 1, 0x7FFFFFFF)),
    "gif-canvas": with_canvas(saved(picture("P"), "GIF"), 6, b"\xff\xff\xff\xff"),
    "gif-tall": with_canvas(saved(picture("P"), "GIF"), 6, b"\x00\x20\x00\x10"),
    "webp-canvas": with_canvas(saved(picture("RGBA"), "WEBP", exif=b"Exif\0\0"), 24, b"\xfe\x3f\0\xfe\x3f\0"),
    "jpeg-huge": huge_jpeg(),
    "xmp-deep": png(4, 3, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<a>" * 300_000 + b"</a>" * 300_000)),
    "xmp-subjects": png(4, 3, (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + nested_subjects(60_000))),
}


def _decode_in_a_process(path: Path) -> tuple[str, float]:
    program = (
        "import sys; from pathlib import Path; from tests.fakes.memory import peak_mb;"
        "from tests.fakes.mutations import outcome;"
        "said = outcome(Path(sys.argv[1]).read_bytes());"
        "print(said, peak_mb(), sep='|')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    result, peak_mb = ended.stdout.split("|")
    return result, float(peak_mb)


@pytest.mark.parametrize("name", LIES)
def test_a_file_that_claims_more_than_it_holds_is_handled_within_bounds(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(LIES[name])
    result, peak_mb = _decode_in_a_process(tmp_path / name)
    print(name, result, f"{peak_mb:.0f} MB")
    assert not result.startswith("escaped")
    assert peak_mb < 700


def test_a_nested_packet_ends_and_costs_nothing() -> None:
    opened = images.open_image(LIES["xmp-subjects"])
    assert embedded_description(opened).keywords == ()


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_of_thousands_of_frames_only_the_first_is_decoded(image_format: str) -> None:
    frames = [Image.new("L", (40, 30), 255 * (number % 2)) for number in range(3000)]
    data = saved(frames[0], image_format, save_all=True, append_images=frames[1:], duration=10)
    first_only = data[: len(data) // 2]  # what follows may even be missing, where the format can say so
    opened = images.open_image(data)
    assert np.asarray(images.upright_rgb(opened)).max() == 0
    assert opened.tell() == 0
    if image_format == "GIF":
        assert np.asarray(images.decode(first_only)).max() == 0


def test_a_large_colour_profile_is_used_and_one_that_is_a_bomb_is_refused() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + os.urandom(3_000_000)
    data = saved(Image.new("RGB", (4, 3), (9, 99, 199)), "PNG", icc_profile=profile)
    assert np.asarray(images.decode(data))[0, 0].tolist() == [9, 99, 199]
    with pytest.raises(BadImage, match="damaged"):
        images.decode(LIES["png-iccp"])


@pytest.mark.parametrize("image_format", ["PNG", "GIF", "JPEG"])
def test_a_long_comment_does_not_cost_the_picture(image_format: str, app: App, tmp_path: Path) -> None:
    data = saved(picture("RGB"), image_format, comment=b"x" * 60_000)
    if image_format == "PNG":
        data = png(4, 3, (b"tEXt", b"comment\0" + b"x" * 70_000))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / f"a.{image_format.lower()}").write_bytes(data)
    assert app.ingest(tmp_path / "pictures", "c").added == 1


def test_16_bit_grey_with_a_transparent_value_keeps_its_greys() -> None:
    image = Image.fromarray(np.array([[0, 100 * 257, 65_535]], np.uint16))
    decoded = images.decode(saved(image, "PNG", transparency=5))
    assert np.asarray(decoded)[0, :, 0].tolist() == [0, 100, 255]


@pytest.mark.filterwarnings("ignore::UserWarning")  # pytest undoes our own filter
@pytest.mark.parametrize("kind", ["EXIF", "XMP"])
def test_damaged_metadata_does_not_cost_the_picture(kind: str) -> None:
    options = {"exif": b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 40} if kind == "EXIF" else {"xmp": b"<x:\xff" * 50}
    opened = images.open_image(saved(picture("RGB"), "JPEG", **options))
    assert images.upright_rgb(opened).size == (24, 18)
    assert embedded_description(opened).title == ""


def test_a_file_larger_than_any_picture_is_refused_without_being_read(app: App, tmp_path: Path) -> None:
    with (tmp_path / "sparse.tif").open("wb") as file:
        file.truncate(50 * 10**9)
    (failure,) = app.ingest(tmp_path, "c").failures
    assert failure.reason == "too large a file"
    assert failure.detail == "50000 MB, the limit is 1600; CONTACTSHEET_MAX_MEGAPIXELS sets the limit"
    with pytest.raises(BadImage, match="too large a file"):
        images.load(tmp_path / "sparse.tif")


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 2), (300, 200)])
def test_the_model_sees_the_middle_of_a_very_long_picture(size: tuple[int, int]) -> None:
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    middle = images.crop_center(image)
    assert max(middle.size) <= 100 * min(middle.size)
    assert min(middle.size) == min(size)
    if size == (1, 60_000):
        assert abs(int(np.asarray(middle)[50, 0, 0]) - int(np.asarray(image)[30_000, 0, 0])) <= 1
    assert middle.size == size or max(size) > 100 * min(size)


def test_large_pictures_are_decoded_one_after_the_other(tmp_path: Path) -> None:
    """Four pictures of 49 megapixels, 50 allowed: together they would take 1,200 MB."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (7000, 7000), (number, 0, 0)).save(folder / f"{number}.png", compress_level=1)
    program = (
        "import sys; from pathlib import Path; from tests.fakes.colour_app import colour_app;"
        "from tests.fakes.memory import peak_mb;"
        "app = colour_app(Path(sys.argv[1]) / 'data'); object.__setattr__(app.settings, 'max_megapixels', 50);"
        "assert app.ingest(Path(sys.argv[1]) / 'pictures', 'c').added == 4;"
        "print(peak_mb())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    print(f"peak {float(ended.stdout):.0f} MB")
    assert float(ended.stdout) < 800


def test_room_lets_in_what_fits_and_the_largest_alone() -> None:
    budget = MemoryBudget(10)
    with budget.reserve(4), budget.reserve(6):
        assert budget._free == 0
    with budget.reserve(99):
        assert budget._free == 0
    assert budget._free == 10
