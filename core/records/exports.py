"""Exports of pictures: what is asked for, and what became of each picture."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

ExportOutcome = Literal["exported", "linked", "already there", "thumbnail", "left out"]


@dataclass(frozen=True)
class PictureSelection:
    """Which pictures: those of `asset_ids`, else those of `clusters` (ids or names), else of all clusters.

    Clusters are those of a revision, by default the published one.
    """

    asset_ids: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    revision: int | None = None


@dataclass(frozen=True)
class ExportOptions:
    """`thumbnails` stand in for originals that are gone; `link` makes hard links in folders where that is possible.

    With `location` copies keep the coordinates where pictures were taken, and the list of pictures has them.
    """

    thumbnails: bool = False
    link: bool = False
    location: bool = False


@dataclass(frozen=True)
class ExportedPicture:
    """What became of a picture: `file` is its path in the export, with `/`, empty if it was left out."""

    asset_id: str
    outcome: ExportOutcome
    file: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ExportReport:
    """An export: `target` is the file or folder that was written, `manifest` the name of the list of pictures in it."""

    collection: str
    target: str
    manifest: str
    pictures: tuple[ExportedPicture, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many pictures had each outcome."""
        return dict(Counter(picture.outcome for picture in self.pictures))
