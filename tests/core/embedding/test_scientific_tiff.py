from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.embedding import images
from core.errors import BadImage
from core.ingest.metadata.embedded import embedded_description
from tests.fakes.camera_raw import TiffWriter, directory, jpeg, long, short
from tests.fakes.odd_pictures import XMP
from tests.fakes.tiffs import pages, tiff


def greys(data: bytes) -> list[int]:
    return np.asarray(images.decode(data))[0, :, 0].tolist()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("f8", [0.0, 0.5, 1.0], [0, 128, 255]),
        ("f8", [-100.0, 900.0, 1900.0], [0, 128, 255]),
        ("f4", [0.0, 500.0, 1000.0], [0, 128, 255]),
        ("f2", [0.0, 2.0, 4.0], [0, 128, 255]),
        ("u4", [0, 2_147_483_648, 4_294_967_295], [0, 128, 255]),
        ("u4", [0, 100, 200], [0, 128, 255]),
        ("i4", [-2_000_000_000, 0, 2_000_000_000], [0, 128, 255]),
        ("i2", [-1000, 1000, 3000], [0, 128, 255]),
        ("i1", [-128, 0, 127], [0, 128, 255]),
        ("u2", [0, 25_700, 65_535], [0, 100, 255]),
        ("u2", [0, 2048, 4095], [0, 128, 255]),
        ("u8", [0, 2**63, 2**64 - 1], [0, 128, 255]),
    ],
)
def test_samples_of_every_kind_are_scaled_by_their_range(
    order: str, kind: str, values: list[float], expected: list[int]
) -> None:
    assert greys(tiff(np.array([values], np.dtype(order + kind)))) == expected


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<f4", "<u4"])
def test_white_is_zero_is_read_the_right_way_round(kind: str) -> None:
    top = 1.0 if kind == "<f4" else np.iinfo(np.dtype(kind[1:])).max
    assert greys(tiff(np.array([[0, top]], np.dtype(kind)), photometric=0)) == [255, 0]


@pytest.mark.parametrize("kind", ["<f4", "<f8"])
def test_what_is_no_number_or_infinite_is_black_and_the_rest_keeps_its_range(kind: str) -> None:
    values = np.array([[np.nan, np.inf, -np.inf, 0.0, 50.0, 100.0]], np.dtype(kind))
    assert greys(tiff(values)) == [0, 0, 0, 0, 128, 255]
    assert greys(tiff(np.full((1, 2), np.nan, kind))) == [0, 0]
    assert greys(tiff(np.full((1, 2), 7.0, kind))) == [255, 255]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "lzma", "zstd"])
@pytest.mark.parametrize("predictor", [1, 2, 3])
def test_compressions_and_predictors_are_undone(compression: str, predictor: int) -> None:
    values = np.linspace(0, 1000, 40 * 30, dtype=np.float32).reshape(30, 40)
    image = Image.fromarray(values if predictor == 3 else values.astype(np.int32))
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", compression=compression, tiffinfo={317: predictor} if compression != "raw" else {})
    expected = np.rint(values.astype(np.float64 if predictor == 3 else np.int32) * 0.255)
    decoded = np.asarray(images.decode(buffer.getvalue()))[..., 0].astype(int)
    assert np.abs(decoded - expected).max() <= 1


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("rows_per_strip", [1, 3, 4, 6, 7])
@pytest.mark.parametrize("band_bytes", [1, 65, 32_000_000])
def test_colours_of_16_bits_and_floats_in_strips(
    compression: int, rows_per_strip: int, band_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.embedding.tiff_blocks.BAND_BYTES", band_bytes)
    values = np.random.default_rng(0).integers(0, 65_536, (7, 5, 3)).astype(np.uint16)
    values[0, 0] = 65_535
    data = tiff(values, photometric=2, compression=compression, rows_per_strip=rows_per_strip)
    assert np.abs(np.asarray(images.decode(data)).astype(float) - values / 257).max() <= 0.51
    floats = tiff((values / 65_535).astype(np.float32), 2, compression, rows_per_strip)
    assert np.abs(np.asarray(images.decode(floats)).astype(float) - values / 257).max() <= 0.51


@pytest.mark.parametrize("band_bytes", [1, 32_000_000])
def test_tiles_and_planes_are_put_together(band_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.embedding.tiff_blocks.BAND_BYTES", band_bytes)
    values = np.random.default_rng(0).integers(0, 65_536, (3, 20, 40)).astype(np.uint16)
    values[0, 0, 0] = 65_535
    writer, offsets = TiffWriter("<"), []
    padded = np.pad(values, ((0, 0), (0, 12), (0, 8)))
    for plane in padded:
        for top in (0, 16):
            offsets += [writer.append(plane[top : top + 16, left : left + 16].tobytes()) for left in (0, 16, 32)]
    rows = [short("<", 256, 40), short("<", 257, 20), short("<", 258, 16, 16, 16), short("<", 259, 1)]
    rows += [short("<", 262, 2), short("<", 277, 3), short("<", 284, 2), short("<", 322, 16), short("<", 323, 16)]
    rows += [long("<", 324, *offsets), long("<", 325, *[512] * len(offsets))]
    decoded = np.asarray(images.decode(writer.file(writer.add(rows)))).astype(float)
    assert np.abs(decoded - values.transpose(1, 2, 0) / 257).max() <= 0.51


def test_alpha_of_16_bits_is_laid_on_white() -> None:
    values = np.array([[[0, 0, 0, 0], [0, 0, 0, 65_535], [65_535, 0, 0, 65_535]]], np.uint16)
    data = tiff(values, photometric=2, tag338=2)
    assert np.asarray(images.decode(data))[0].tolist() == [[255, 255, 255], [0, 0, 0], [255, 0, 0]]


def test_a_dark_photograph_with_a_profile_is_not_brightened() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    writer = TiffWriter("<")
    at = writer.append(struct.pack("<6H", *[2570] * 6))
    rows = [short("<", 256, 2), short("<", 257, 1), short("<", 258, 16, 16, 16), short("<", 262, 2)]
    rows += [long("<", 273, at), short("<", 277, 3), short("<", 278, 1), long("<", 279, 12), (34675, 7, profile)]
    assert greys(writer.file(writer.add(rows))) == [10, 10]


@pytest.mark.parametrize("kind", ["TIFF", "RAW"])
def test_iptc_and_xmp_of_what_pillow_does_not_read_are_read(kind: str) -> None:
    iptc = b"\x1c\x02\x69\x00\x08Headline" + b"\x1c\x02\x50\x00\x03Ada"
    rows = [(33723, 7, iptc), (700, 1, XMP)]
    writer = TiffWriter("<")
    if kind == "RAW":
        at = writer.append(preview := jpeg((640, 480), "red"))
        rows += [(50706, 1, b"\1\4\0\0"), long("<", 513, at), long("<", 514, len(preview))]
    else:
        at = writer.append(bytes(2))
        rows += [short("<", 256, 1), short("<", 257, 1), short("<", 258, 16), short("<", 262, 1)]
        rows += [long("<", 273, at), short("<", 278, 1), long("<", 279, 2)]
    about = embedded_description(images.open_image(writer.file(writer.add(rows))))
    assert (about.title, about.headline, about.author) == ("Title", "Headline", "Ada")


def test_orientation_and_words_of_a_scientific_tiff_are_kept() -> None:
    opened = images.open_image(tiff(np.zeros((2, 5), np.float64), tag274=6))
    assert images.upright_rgb(opened).size == (2, 5)
    assert opened.getexif()[274] == 6


@pytest.mark.parametrize(
    ("sizes", "reduced", "number"),
    [
        ([(8, 8), (32, 16), (16, 16)], (), 2),
        ([(8, 8), (8, 8)], (), 1),
        ([(40, 40), (16, 16)], (0,), 2),
        ([(40, 40), (16, 16)], (0, 1), 1),
    ],
)
def test_of_several_pages_the_largest_that_is_no_preview_is_taken(
    sizes: list[tuple[int, int]], reduced: tuple[int, ...], number: int
) -> None:
    opened = images.open_image(pages(*sizes, reduced=reduced))
    picture = images.upright_rgb(opened)
    assert picture.size == sizes[number - 1]
    assert abs(np.asarray(picture)[0, 0, 0].item() - 40 * number) <= 1
    assert opened.getexif()[315] == "Ada"


def test_a_tiff_whose_compression_is_unknown_is_not_supported() -> None:
    with pytest.raises(BadImage, match=r"not supported \(a TIFF in compression 34887\)"):
        images.decode(tiff(np.zeros((2, 2), np.uint8), compression=34_887))


@pytest.mark.filterwarnings("ignore::UserWarning")  # pytest undoes our own filter
def test_samples_that_are_cut_off_or_too_many_are_refused() -> None:
    data = tiff(np.zeros((200, 200), np.float64))
    with pytest.raises(BadImage, match=r"truncated|damaged"):
        images.decode(data[:8] + data[8 + 100_000 :])
    head = b"II*\0" + struct.pack("<I", 8)
    rows = [short("<", 256, 9), short("<", 257, 9), short("<", 258, 16), short("<", 262, 1), short("<", 278, 9)]
    at = 8 + len(directory("<", 8, [*rows, long("<", 273, 0), long("<", 279, 162)]))
    body = directory("<", 8, [*rows, long("<", 273, at), long("<", 279, 162)])
    assert images.decode(head + body + bytes(162)).size == (9, 9)
    with pytest.raises(BadImage, match="truncated"):
        images.decode(head + body + bytes(150))
    with pytest.raises(BadImage, match="too many pixels"):
        images.decode(tiff(np.zeros((1000, 1000, 4), np.float64), photometric=2), max_megapixels=2)


def test_a_jpeg_under_the_name_of_a_tiff_is_a_jpeg() -> None:
    assert images.open_image(jpeg((8, 8), "red"), "a.tif").format == "JPEG"
