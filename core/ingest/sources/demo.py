"""The demo collection: photographs that ship with Contact Sheet, embedded by the bundled model."""

from __future__ import annotations

from pathlib import Path

from core.errors import CollectionError
from core.settings import PROJECT

NAME = "demo"
FOLDER = PROJECT / "data" / "demo"
PHOTOS = FOLDER / "photos"
MANIFEST = FOLDER / "manifest.csv"


def check_not_demo(collection: str) -> None:
    """Raise CollectionError for the demo collection: other pictures in it would go whenever it is built anew."""
    if collection == NAME:
        raise CollectionError("demo holds the demo's pictures only: choose another name for the collection")


def photographs(folder: Path = PHOTOS) -> list[Path]:
    """The files of the demo collection, sorted by name."""
    return sorted(folder.glob("*.jpg"))
