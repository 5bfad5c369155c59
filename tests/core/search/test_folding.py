"""Near-duplicates among results are one of them, however many there are."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
from PIL import Image

from core.access import OPERATOR
from core.app import App
from core.records.assets import Asset, Location
from core.records.descriptions import Description
from core.records.searches import SearchOptions
from core.settings import Settings
from core.store.lance.collections import Collections
from tests.fakes.encoder import ColourEncoder

BURST = 300
ALIKE = np.array([0.5, -0.5, -0.5, 0.1], np.float32)  # as red as can be


def test_what_comes_after_a_long_burst_is_found(app: App, settings: Settings, encoder: ColourEncoder) -> None:
    table = Collections(settings.data / "collections").create("c", encoder.card)
    vectors = np.concatenate([np.tile(ALIKE / np.linalg.norm(ALIKE), (BURST, 1)), np.eye(4, dtype=np.float32)[1:]])
    jpeg, now = io.BytesIO(), datetime(2026, 1, 1, tzinfo=UTC)
    Image.new("RGB", (16, 16)).save(jpeg, "JPEG")
    assets = [
        Asset(f"{n:064x}", (Location(f"file:///{n}.jpg"),), Description(), 16, 16, now) for n in range(len(vectors))
    ]
    table.add(assets, [jpeg.getvalue()] * len(assets), vectors)
    hits = app.searches.by_text(OPERATOR, "red", "c", SearchOptions(top=4, fold=True)).hits
    assert [len(hit.folded) for hit in hits] == [BURST - 1, 0, 0, 0]
