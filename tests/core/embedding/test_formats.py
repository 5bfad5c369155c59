from __future__ import annotations

import io
import random
import struct
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from core.embedding import images
from core.embedding.formats import HEAD_BYTES, format_of
from core.errors import BadImage
from core.ingest.metadata.embedded import embedded_description
from tests.fakes import camera_raw
from tests.fakes.camera_raw import box, jpeg
from tests.fakes.odd_pictures import XMP, picture, saved
from tests.fakes.trials import trials


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (saved(picture("RGB"), "JPEG"), "JPEG"),
        (saved(picture("RGB"), "PNG"), "PNG"),
        (saved(picture("P"), "GIF"), "GIF"),
        (saved(picture("RGB"), "WEBP"), "WEBP"),
        (saved(picture("RGB"), "TIFF"), "TIFF"),
        (saved(picture("RGB"), "BMP"), "BMP"),
        (saved(picture("RGB"), "AVIF"), "AVIF"),
        (saved(picture("RGB"), "HEIF"), "HEIF"),
        (saved(picture("RGB"), "JPEG2000"), "JPEG2000"),
        (saved(picture("RGB"), "JPEG2000", no_jp2=True), "JPEG2000"),
        (camera_raw.raf(b""), "RAF"),
        (camera_raw.rw2(b"1234"), "RW2"),
        (camera_raw.orf(b""), "ORF"),
        (camera_raw.cr3(b""), "CR3"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isommp42", ""),
        (b"BM, which is how a letter may begin too", ""),
        (b"", ""),
    ],
)
def test_the_first_bytes_say_what_a_file_is(data: bytes, name: str) -> None:
    assert format_of(data[:HEAD_BYTES]) == name


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}, {"irreversible": True}])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_jpeg_2000_is_read(mode: str, options: dict[str, object]) -> None:
    image = Image.new("RGB", (40, 30), (200, 40, 40)).convert(mode)
    decoded = images.decode(saved(image, "JPEG2000", **options))
    assert decoded.size == (40, 30)
    assert np.allclose(np.asarray(decoded)[5, 5], np.asarray(image.convert("RGB"))[5, 5], atol=6)


@pytest.mark.parametrize("levels", [1, 3, 6])
def test_a_large_jpeg_2000_is_decoded_no_larger_than_needed(levels: int) -> None:
    data = saved(Image.new("RGB", (1600, 1200), "red"), "JPEG2000", num_resolutions=levels)
    opened = images.open_image(data)
    assert opened.size == (1600, 1200)
    small = images.upright_rgb(opened, min_side_px=300)
    assert small.size == {1: (1600, 1200), 3: (400, 300), 6: (400, 300)}[levels]
    assert Image.open(io.BytesIO(images.thumbnail(small))).size == (384, 288)


def test_the_metadata_of_a_jpeg_2000_are_read() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[315] = 6, "Ada"
    data = saved(Image.new("RGB", (40, 30)), "JPEG2000")
    data += box(b"uuid", bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + XMP)
    data += box(b"uuid", b"JpgTiffExif->JP2" + exif.tobytes().removeprefix(b"Exif\0\0"))
    opened = images.open_image(data)
    assert images.upright_rgb(opened).size == (30, 40)
    about = embedded_description(opened)
    assert (about.title, about.author) == ("Title", "Ada")


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize(
    ("shape", "kind"), [((30, 40, 3), "u1"), ((31, 1, 3), "u2"), ((9, 40), "u1"), ((30, 40, 4), "f4")]
)
def test_jpeg_xl_is_read(shape: tuple[int, ...], kind: str, container: bool) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    full = 1 if kind == "f4" else np.iinfo(np.dtype(kind)).max
    values = np.full(shape, full, kind)
    values[..., 0] = 0
    opened = images.open_image(imagecodecs.jpegxl_encode(values, lossless=kind != "f4", usecontainer=container))
    assert (opened.format, opened.size) == ("JXL", (shape[1], shape[0]))
    decoded = images.upright_rgb(opened)
    assert decoded.size == opened.size
    assert np.allclose(np.asarray(decoded)[2, 0], [0, 0, 0] if len(shape) == 2 else [0, 255, 255], atol=6)


@pytest.mark.parametrize("compressed", [False, True])
def test_the_metadata_of_a_jpeg_xl_are_read_and_its_orientation_is_the_codestreams(compressed: bool) -> None:
    imagecodecs = pytest.importorskip("imagecodecs")

    def metadata(kind: bytes, contents: bytes) -> bytes:
        return box(b"brob", kind + imagecodecs.brotli_encode(contents)) if compressed else box(kind, contents)

    exif = Image.Exif()
    exif[0x0112], exif[315] = 6, "Ada"
    data = imagecodecs.jpegxl_encode(np.zeros((30, 40, 3), np.uint8), lossless=True, usecontainer=True)
    data += metadata(b"Exif", bytes(4) + exif.tobytes().removeprefix(b"Exif\0\0")) + metadata(b"xml ", XMP)
    data += box(b"brob", b"xml and no Brotli") + box(b"brob", b"jumb" + imagecodecs.brotli_encode(bytes(9_000_000)))
    opened = images.open_image(data)
    assert images.upright_rgb(opened).size == (40, 30)
    about = embedded_description(opened)
    assert (about.title, about.author) == ("Title", "Ada")


def test_a_jpeg_xl_that_claims_too_much_or_is_cut_off_is_refused() -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    data = imagecodecs.jpegxl_encode(np.random.default_rng(0).integers(0, 255, (90, 90, 3)).astype(np.uint8))
    with pytest.raises(BadImage, match=r"90×90 is 0 megapixels, the limit is 0\.001"):
        images.decode(data, max_megapixels=0.001)
    with pytest.raises(BadImage, match="damaged"):
        images.decode(data[: len(data) // 2])
    with pytest.raises(BadImage, match="the header of JPEG XL is cut off"):
        images.decode(b"\xff\x0a")


def test_jpeg_xl_without_its_extra_is_refused_with_what_to_install() -> None:
    script = (
        "import sys; sys.modules['imagecodecs'] = None\n"
        "from core.embedding import images\n"
        "try: images.decode(bytes.fromhex('ff0a0000'))\n"
        "except images.BadImage as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "pip install -r requirements-jxl.txt" in done.stdout


def test_of_the_pictures_of_a_heic_the_primary_one_is_taken() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = pillow_heif.HeifFile()
    for colour in ("red", "blue", "red"):
        file.add_from_pillow(Image.new("RGB", (64, 64), colour))
    file.primary_index = 1
    buffer = io.BytesIO()
    file.save(buffer, primary_index=1)
    assert np.asarray(images.decode(buffer.getvalue()))[5, 5].argmax() == 2


def noisy_jpeg(seed: int = 0, **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    return saved(Image.fromarray(noise), "JPEG", quality=90, **options)


ENCODINGS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "no subsampling": {"subsampling": 0},
    "restarts": {"restart_marker_blocks": 2},
    "optimised": {"optimize": True},
}


@pytest.mark.parametrize("options", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("seed", range(20))  # of some a decoder has all bits without the end, of others it has not
def test_a_jpeg_that_lacks_only_its_end_is_complete_and_noted(
    options: dict[str, object], missing: int, seed: int
) -> None:
    data = noisy_jpeg(seed, **options)
    opened = images.open_image(data[:-missing])
    cut = images.upright_rgb(opened)
    assert images.note_of(opened) == "the end of the file is missing, the picture is complete"
    assert np.array_equal(np.asarray(cut), np.asarray(images.decode(data)))
    whole = images.open_image(data)
    images.upright_rgb(whole)
    assert images.note_of(whole) == ""


@pytest.mark.parametrize("options", ENCODINGS.values(), ids=ENCODINGS)
def test_a_jpeg_that_lacks_some_of_its_picture_is_truncated(options: dict[str, object]) -> None:
    data = noisy_jpeg(**options)
    begin = data.index(b"\xff\xda") + 14
    cuts = [begin + (len(data) - begin) * part // 40 for part in range(40)] + [
        len(data) - left for left in range(8, 40)
    ]
    cuts += [at for number in range(8) if (at := data.find(bytes((0xFF, 0xD0 + number)))) > 0]
    for cut in cuts:
        with pytest.raises(BadImage, match="truncated"):
            images.decode(data[:cut])


def random_jpeg(rng: random.Random) -> bytes:
    size, noise = (rng.randrange(8, 140), rng.randrange(8, 140)), np.random.default_rng(rng.randrange(1000))
    soft = Image.fromarray(noise.integers(0, 256, (5, 5, 3), dtype=np.uint8)).resize(size)
    flat = Image.new("RGB", size, (rng.randrange(256), 90, 90))
    half = flat.copy()
    half.paste(Image.fromarray(noise.integers(0, 256, (size[1] // 2, size[0], 3), dtype=np.uint8)))
    options: dict[str, object] = {"quality": rng.choice((30, 75, 95)), "subsampling": rng.choice((0, 1, 2))}
    options |= {"progressive": rng.random() < 0.4, "optimize": rng.random() < 0.3}
    options |= {"restart_marker_blocks": rng.randrange(1, 6)} if rng.random() < 0.4 else {}
    return saved(rng.choice((soft, flat, half)), "JPEG", **options)


def decoded_or_reason(data: bytes) -> np.ndarray | str:
    try:
        return np.asarray(images.decode(data))
    except BadImage as error:
        return error.reason


def test_a_jpeg_cut_off_anywhere_is_either_the_same_picture_or_truncated() -> None:
    rng = random.Random(3)
    for _ in range(trials(300, 40)):
        data = random_jpeg(rng)
        whole = np.asarray(images.decode(data))
        pixels = data.index(b"\xff\xda") + 14
        restarts = [at for at in range(pixels, len(data)) if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7]
        for cut in [*range(max(pixels, len(data) - 11), len(data)), *restarts[-9:]]:
            found = decoded_or_reason(data[:cut])
            if isinstance(found, str):
                assert found == "truncated"
                assert len(data) - cut > 2
            else:  # bits that mean nothing may hide that the very last block lacks some
                assert np.array_equal(found[:-16], whole[:-16])
                assert (found != whole).any(axis=2).sum() <= 16 * 16


@pytest.mark.parametrize("trailer", [b"\0" * 9, b"\xff\xda film of a motion photo \xff\xda", jpeg((8, 8), "red")])
def test_what_follows_the_end_of_a_jpeg_is_no_matter(trailer: bytes) -> None:
    opened = images.open_image(noisy_jpeg() + trailer)
    images.upright_rgb(opened)
    assert images.note_of(opened) == ""


def test_a_jpeg_without_its_end_keeps_its_orientation_profile_and_scale() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = jpeg((1600, 1200), "red", exif=exif)[:-2]
    opened = images.open_image(data)
    assert images.upright_rgb(opened, min_side_px=300).size == (300, 400)
    assert images.note_of(opened)


def test_a_camera_that_writes_two_pictures_into_one_jpeg_gives_the_first() -> None:
    second = Image.new("RGB", (800, 600), "blue")
    data = saved(Image.new("RGB", (1600, 1200), "red"), "MPO", save_all=True, append_images=[second])
    opened = images.open_image(data)
    assert images.upright_rgb(opened, min_side_px=300).size == (400, 300)


def test_boxes_that_lie_about_their_sizes_end() -> None:
    lies = struct.pack(">I", 0xFFFFFFFF) + b"moov" + bytes(64)
    with pytest.raises(BadImage, match="no preview"):
        images.decode(box(b"ftyp", b"crx \0\0\0\1crx isom") + lies)
