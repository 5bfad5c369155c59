"""Databases that were damaged, and kept beside the new ones that were begun in their place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class SetAsideDatabase:
    """`file` is what is left of the database `name` (`events.db`), set aside at `moment` (UTC), if its name tells."""

    name: str
    file: str
    moment: datetime | None
