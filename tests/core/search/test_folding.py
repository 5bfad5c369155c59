"""Near-duplicates among results are one result, in the order of the search."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.access import OPERATOR
from core.app import App
from core.ingest.sources import demo
from core.records.assets import Asset, Hit, Location
from core.records.descriptions import Description
from core.records.searches import SearchOptions
from core.settings import Settings
from core.store.lance.collections import Collections
from tests.fakes.encoder import ColourEncoder

BURST = 300
ALIKE = np.array([0.5, -0.5, -0.5, 0.1], np.float32)  # as red as can be


@pytest.fixture
def filled(app: App, tmp_path: Path) -> App:
    """Two photographs, the first in three more versions."""
    folder = tmp_path / "twins"
    folder.mkdir()
    first, other = (Image.open(path).convert("RGB") for path in demo.photographs()[:200:150])
    first.save(folder / "first.png")
    for quality in (40, 60, 80):
        first.save(folder / f"first-{quality}.jpg", quality=quality)
    other.save(folder / "other.png")
    app.ingest(folder, "twins")
    return app


def results(app: App, top: int = 10, fold: bool = True) -> tuple[Hit, ...]:
    return app.searches.by_text(OPERATOR, "red", "twins", SearchOptions(top, fold=fold)).hits


def test_versions_of_a_picture_lie_under_the_one_that_matches_best(filled: App) -> None:
    unfolded = results(filled, fold=False)
    folded = results(filled)
    versions = [hit.asset.id for hit in unfolded if hit.asset.title.startswith("first")]
    (shown,) = (hit for hit in folded if hit.folded)
    assert len(folded) == 2
    assert [shown.asset.id, *shown.folded] == versions
    assert [hit.rank for hit in folded] == [1, 2]


def test_without_folding_every_version_is_a_result(filled: App) -> None:
    assert len(results(filled, fold=False)) == 5
    assert not any(hit.folded for hit in results(filled, fold=False))


def test_a_page_is_filled_with_other_pictures_instead_of_versions(filled: App) -> None:
    """The one that is shown does not change with the number of results."""
    assert [hit.asset.id for hit in results(filled, top=2)] == [hit.asset.id for hit in results(filled, top=10)]
    assert results(filled, top=1)[0].asset.id == results(filled, top=10)[0].asset.id


def test_only_results_that_stand_out_by_themselves_are_before_the_line(filled: App) -> None:
    found = filled.searches.by_text(OPERATOR, "red", "twins", SearchOptions(10, fold=True)).result
    assert 1 <= found.closest <= len(found.hits)


def test_pictures_of_another_shape_are_never_folded(app: App, tmp_path: Path) -> None:
    folder = tmp_path / "shapes"
    folder.mkdir()
    picture = Image.fromarray(np.full((120, 120, 3), (200, 10, 10), np.uint8))
    picture.save(folder / "square.png")
    picture.resize((240, 120)).save(folder / "wide.png")
    app.ingest(folder, "shapes")
    hits = app.searches.by_text(OPERATOR, "red", "shapes", SearchOptions(10, fold=True)).hits
    assert [hit.folded for hit in hits] == [(), ()]


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
