"""How well the texts of a collection fit its pictures, as it was measured last: one small file."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from core.disk import write_whole
from core.logs import log
from core.records.text_fit import MeasuredFit, TextFit
from core.store.disk_errors import wrap_read_errors, wrap_write_errors


class TextFitFile:
    """The latest measurement of one collection, in its folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "text_fit.json"

    def get(self) -> MeasuredFit | None:
        """The measurement; None if there is none. A damaged file is logged and treated as missing.

        Raises StoreError if the disk cannot be read.
        """
        with wrap_read_errors(self._path):
            try:
                return _measured(json.loads(self._path.read_text(encoding="utf-8")))
            except FileNotFoundError:
                return None
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                log("store", "a measured fit of texts cannot be read", logging.WARNING, error=repr(error))
                return None

    def put(self, measured: MeasuredFit) -> None:
        """Store a measurement in place of the one before. Raises StoreError if the disk is full or read-only."""
        document = asdict(measured) | {"measured_at": measured.measured_at.isoformat()}
        with wrap_write_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, json.dumps(document).encode())


def _measured(document: Any) -> MeasuredFit:
    fit, weak = document["fit"], document["fit"]["weak_similarity"]
    measured_at = datetime.fromisoformat(document["measured_at"])
    if not 0 <= fit["wrong_share"] <= 1 or measured_at.tzinfo is None:  # nor for NaN
        raise ValueError(f"a share of {fit['wrong_share']}, measured at {measured_at}")
    return MeasuredFit(
        TextFit(int(fit["sample"]), float(fit["wrong_share"]), None if weak is None else float(weak)),
        str(document["checkpoint"]),
        str(document["digest"]),
        int(document["assets"]),
        measured_at,
    )
