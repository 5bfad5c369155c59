"""An App whose every model is the colour encoder, and the contents of a collection, for comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.app import App
from core.settings import Settings
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from tests.fakes.encoder import ColourEncoder


def colour_app(data: Path, encoder: ColourEncoder | None = None) -> App:
    settings = Settings(data=data, model="local-dir:colour", model_is_explicit=True)
    return App(settings, Collections(data / "collections"), lambda *_: encoder or ColourEncoder())


def open_table(data: Path, collection: str) -> AssetTable:
    return Collections(data / "collections").open(collection)


def contents(table: AssetTable) -> dict[str, tuple[Any, ...]]:
    """Everything about every asset except its ingest time, by id; raises if an id occurs twice."""
    snapshot = table.snapshot()
    assert len(set(snapshot.ids)) == len(snapshot.ids)
    vectors = dict(zip(snapshot.ids, snapshot.vectors, strict=True))
    return {
        asset.id: (asset.uris, asset.sources, asset.about, asset.width, asset.height, jpeg, vectors[asset.id].tobytes())
        for asset, jpeg in table.assets(snapshot.ids)
    }
