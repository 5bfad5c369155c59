"""Work for tests to kill: it writes sidecars beside the pictures of a collection, and undoes that."""

from __future__ import annotations

import os
from pathlib import Path

from core.access import OPERATOR
from core.library import sidecar_replacing
from core.store.sql.sidecar_store import SidecarStore
from tests.fakes.colour_app import colour_app
from tests.fakes.strikes import Announcer, Stage

STAGES: dict[str, Stage] = {
    "record": ((SidecarStore, "add"),),
    "write": ((sidecar_replacing, "write_durably"),),
    "create": ((os, "link"),),
    "replace": ((Path, "replace"),),
    "delete": ((Path, "unlink"),),
    "forget": ((SidecarStore, "remove"),),
}


def write_and_undo(data: Path, stage: str, announcer: Announcer) -> None:
    """Write the sidecars of the collection `c`, promise that they are written, and undo it."""
    app = colour_app(data)
    app.collection_names()
    announcer.announce(STAGES[stage])
    run = app.sidecars.write(OPERATOR, "c").run
    announcer.promise()
    if run is not None:
        app.sidecars.undo(OPERATOR, "c", run)
