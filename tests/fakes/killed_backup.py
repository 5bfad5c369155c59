"""What the children of tests/core/library/test_backup_kills.py do until they are killed."""

from __future__ import annotations

import os
from pathlib import Path

from core.access import OPERATOR
from core.records.backups import RestoreOptions
from tests.fakes.colour_app import colour_app


def back_up_announced(data: str, place: str, started: int) -> None:
    """Back up everything, after a byte to the descriptor `started`."""
    app = colour_app(Path(data))
    os.write(started, b"!")
    app.backups.back_up(OPERATOR, Path(place))


def restore_announced(data: str, place: str, name: str, started: int) -> None:
    """Restore `holiday` under a name, replacing what is there, after a byte to the descriptor `started`."""
    app = colour_app(Path(data))
    os.write(started, b"!")
    app.backups.restore(OPERATOR, Path(place), RestoreOptions(["holiday"], as_name=name, replace=True))
