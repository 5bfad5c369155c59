"""Several pictures as one: each in its own numbered cell, readable, and small."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from core.embedding.contact_sheet import CELL_PX, COLUMNS, LABEL_PX, contact_sheet

COLOURS = ("red", "green", "blue", "yellow", "cyan", "magenta", "black", "gray", "orange", "purple", "brown", "navy")


def jpeg(colour: str, size: tuple[int, int] = (384, 288), mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(file, "JPEG", quality=95)
    return file.getvalue()


def opened(sheet: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(sheet))
    assert image.format == "JPEG"
    return image.convert("RGB")


def cell(sheet: Image.Image, index: int) -> Image.Image:
    left, top = index % COLUMNS * CELL_PX, index // COLUMNS * CELL_PX
    return sheet.crop((left, top, left + CELL_PX, top + CELL_PX))


def middle(image: Image.Image) -> tuple[int, ...]:
    return tuple(image.getpixel((image.width // 2, image.height // 2)))  # type: ignore[arg-type]


def near(found: tuple[int, ...], colour: str) -> bool:
    expected = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
    return bool(np.abs(np.subtract(found, expected)).max() < 24)


@pytest.mark.parametrize(
    ("count", "size"), [(1, (1, 1)), (2, (2, 1)), (5, (5, 1)), (6, (5, 2)), (10, (5, 2)), (12, (5, 3)), (20, (5, 4))]
)
def test_cells_stand_in_rows_of_five_in_the_order_given(count: int, size: tuple[int, int]) -> None:
    colours = [COLOURS[index % len(COLOURS)] for index in range(count)]
    sheet = opened(contact_sheet([jpeg(colour) for colour in colours]))
    assert sheet.size == (size[0] * CELL_PX, size[1] * CELL_PX)
    assert all(near(middle(cell(sheet, index)), colour) for index, colour in enumerate(colours))


@pytest.mark.parametrize("size", [(384, 100), (100, 384), (384, 384), (20, 10), (1, 1)])
def test_a_picture_keeps_its_shape_and_stays_in_its_cell(size: tuple[int, int]) -> None:
    sheet = opened(contact_sheet([jpeg("black", size)] + [jpeg("white")] * 6))
    dark = np.asarray(cell(sheet, 0).convert("L"))[LABEL_PX + 2 :] < 64
    width, height = dark.any(axis=0).sum(), dark.any(axis=1).sum()
    shrink = min(1, (CELL_PX - 4) / max(size))
    assert width == pytest.approx(size[0] * shrink, abs=3)
    assert height == pytest.approx(min(size[1] * shrink, CELL_PX - LABEL_PX), abs=LABEL_PX + 3)
    assert (np.asarray(cell(sheet, 1).convert("L"))[LABEL_PX + 2 :] > 200).all()


def test_every_cell_has_a_number_of_its_own_that_can_be_read_on_any_picture() -> None:
    for colour in ("black", "white", "#888"):
        sheet = opened(contact_sheet([jpeg(colour, (288, 288))] * 20))
        labels = [np.asarray(cell(sheet, index).convert("L"))[:LABEL_PX, : LABEL_PX + 14] for index in range(20)]
        inner = [label[3 : LABEL_PX - 2, 3 : LABEL_PX - 2] for label in labels]
        assert all(label.min() < 80 and label.max() > 220 for label in inner)
        assert all(np.abs(a.astype(int) - b).max() > 100 for n, a in enumerate(labels) for b in labels[:n])


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_printing_colours_are_shown_too(mode: str) -> None:
    assert near(
        middle(cell(opened(contact_sheet([jpeg("red", mode=mode)])), 0)), "red" if mode == "CMYK" else "#4c4c4c"
    )


@pytest.mark.parametrize("broken", [b"", b"no picture", jpeg("red")[:400]], ids=["empty", "other", "truncated"])
def test_a_picture_that_cannot_be_read_leaves_a_white_cell_and_the_others_in_their_places(broken: bytes) -> None:
    sheet = opened(contact_sheet([jpeg("green"), broken, jpeg("blue")]))
    assert [near(middle(cell(sheet, index)), colour) for index, colour in enumerate(("green", "white", "blue"))] == [
        True,
        True,
        True,
    ]


def test_ten_pictures_as_one_are_smaller_than_apart() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (36, 48, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((384, 288)).save(file, "JPEG", quality=85)
    assert len(contact_sheet([file.getvalue()] * 10)) < 10 * len(file.getvalue())
