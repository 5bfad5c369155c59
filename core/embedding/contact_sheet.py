"""Combines several pictures into one: a contact sheet with a number in every cell."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress

from PIL import Image, ImageDraw, ImageFont

COLUMNS, CELL_PX, LABEL_PX = 5, 288, 30


def contact_sheet(jpegs: Sequence[bytes]) -> bytes:
    """Thumbnails (JPEG) as one JPEG: 288 px cells, five to a row, numbered from 1 in the upper left corner.

    The cell of an unreadable thumbnail stays white.
    """
    columns = min(COLUMNS, len(jpegs))
    rows = -(-len(jpegs) // columns)
    sheet = Image.new("RGB", (columns * CELL_PX, rows * CELL_PX), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(LABEL_PX - 8)
    for index, jpeg in enumerate(jpegs):
        left, top = index % columns * CELL_PX, index // columns * CELL_PX
        with suppress(OSError):
            _paste(sheet, jpeg, left, top)
        box = (left, top, left + LABEL_PX + (14 if index >= 9 else 0), top + LABEL_PX)
        draw.rectangle(box, fill="white", outline="black")
        draw.text(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), str(index + 1), fill="black", font=font, anchor="mm")
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


def _paste(sheet: Image.Image, jpeg: bytes, left: int, top: int) -> None:
    """Center a picture in the cell whose corner is `left`, `top`. Raises OSError if it cannot be read."""
    picture = Image.open(io.BytesIO(jpeg), formats=("JPEG",)).convert("RGB")
    picture.thumbnail((CELL_PX - 4, CELL_PX - 4), reducing_gap=2.0)
    sheet.paste(picture, (left + (CELL_PX - picture.width) // 2, top + (CELL_PX - picture.height) // 2))
