"""The demo collection: photographs that ship with Contact Sheet, embedded by the bundled model."""

from __future__ import annotations

from pathlib import Path

from core.settings import PROJECT

NAME = "demo"
FOLDER = PROJECT / "data" / "demo"
PHOTOS = FOLDER / "photos"
MANIFEST = FOLDER / "manifest.csv"


def photographs(folder: Path = PHOTOS) -> list[Path]:
    """The files of the demo collection, sorted by name."""
    return sorted(folder.glob("*.jpg"))
