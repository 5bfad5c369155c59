"""Work for tests to kill: it exports the clusters of a collection into a folder and a ZIP file."""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

from core.access import OPERATOR
from core.library import picture_export
from tests.fakes.colour_app import colour_app
from tests.fakes.strikes import Announcer, Stage

STAGES: dict[str, Stage] = {
    "read": ((picture_export, "open_original"),),
    "copy": ((shutil, "copyfileobj"),),
    "name": ((os, "link"),),
    "rename": ((Path, "rename"),),
    "end": ((zipfile.ZipFile, "close"),),
}


def export_twice(data: Path, target: Path, stage: str, announcer: Announcer) -> None:
    """Export the collection `c` to `target/out` and `target/out.zip`."""
    app = colour_app(data)
    app.collection_names()
    announcer.announce(STAGES[stage])
    app.exports.export(OPERATOR, "c", target / "out")
    app.exports.export(OPERATOR, "c", target / "out.zip")
    announcer.promise()
