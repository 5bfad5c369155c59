"""What one standard says about a picture: its fields, and its dates by what they are dates of."""

from __future__ import annotations

from dataclasses import dataclass

from core.records.created_time import CreatedTime
from core.records.descriptions import Description


@dataclass(frozen=True)
class Reading:
    """The fields of one block of metadata.

    `about.created` is empty: the picture was taken at `original`, digitised at `digitised` (a scan: decades later) and
    last changed at `modified`.
    """

    about: Description = Description()
    original: CreatedTime | None = None
    digitised: CreatedTime | None = None
    modified: CreatedTime | None = None


NOTHING = Reading()
