"""A small collection of single-colour pictures, whose clusters are their colours."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from core.app import App
from tests.fakes.colour_app import colour_app
from tests.fakes.encoder import COLOURS


def paint(folder: Path, colour: str, count: int, first: int = 0) -> None:
    """Write pictures of nearly the same colour; higher numbers are darker."""
    folder.mkdir(exist_ok=True)
    for number in range(first, first + count):
        shade = tuple(max(channel - 8 * number, 0) for channel in COLOURS[colour])
        Image.new("RGB", (8, 8), shade).save(folder / f"{colour}_{number}.png")


def paint_collection(root: Path) -> Path:
    """Create a data folder with a collection `c`: four red pictures, three green ones, a blue one."""
    for colour, count in (("red", 4), ("green", 3), ("blue", 1)):
        paint(root / "pictures", colour, count)
    colour_app(root / "data").ingest(root / "pictures", "c")
    return root / "data"


def add(app: App, tmp_path: Path, colour: str, count: int = 1, first: int = 10) -> set[str]:
    """Ingest more pictures; returns the ids of the new assets."""
    before = set(app.titles("c"))
    paint(tmp_path / f"more {colour} {first}", colour, count, first)
    app.ingest(tmp_path / f"more {colour} {first}", "c")
    return set(app.titles("c")) - before
