"""The collections that label sets are about: with all texts, with some missing, or on the wrong pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from core.app import DEMO, App, open_app
from core.quality.label_sets import EVAL_FOLDER
from core.records.assets import Asset
from core.records.descriptions import Description
from core.settings import Settings
from core.store.lance.collections import Collections

CAPTIONED = "captioned"
# The label sets of each collection. Those of the captioned one take no part in choosing any constant.
LABELLED = {DEMO: ("demo.jsonl", "demo-words.jsonl"), CAPTIONED: ("captioned.jsonl",)}
Texts = Callable[[list[Asset], np.random.Generator], list[Asset]]


def labelled_app(folder: Path) -> App:
    """An App on this folder that holds both collections."""
    app = open_app(replace(Settings.load(), data=folder, model="bundled", log_level="ERROR"))
    app.ensure_demo()
    photos = EVAL_FOLDER / CAPTIONED
    app.ingest(photos / "photos", CAPTIONED, photos / "captions.csv")
    return app


def all_texts(assets: list[Asset], rng: np.random.Generator) -> list[Asset]:
    return assets


def missing(share: float) -> Texts:
    """This share of the pictures without any text, not even a file name."""

    def change(assets: list[Asset], rng: np.random.Generator) -> list[Asset]:
        without = set(rng.permutation(len(assets))[: round(share * len(assets))].tolist())
        return [replace(a, about=Description(), locations=()) if i in without else a for i, a in enumerate(assets)]

    return change


def shuffled(share: float) -> Texts:
    """This share of the pictures with all texts of another picture."""

    def change(assets: list[Asset], rng: np.random.Generator) -> list[Asset]:
        rows = rng.permutation(len(assets))[: round(share * len(assets))]
        taken = dict(zip(rows.tolist(), np.roll(rows, 1).tolist(), strict=True))
        sources = [assets[taken.get(i, i)] for i in range(len(assets))]
        return [replace(a, about=s.about, locations=s.locations) for a, s in zip(assets, sources, strict=True)]

    return change


CONDITIONS: dict[str, Texts] = {
    "all texts": all_texts,
    "half missing": missing(0.5),
    "half shuffled": shuffled(0.5),
    "three quarters shuffled": shuffled(0.75),
    "all shuffled": shuffled(1.0),
}


def with_texts(app: App, collection: str, name: str, change: Texts) -> str:
    """A copy of a collection with other texts; its name."""
    snapshot = app._opened.snapshot(collection)
    rows = app.pictures(collection, snapshot.ids)
    assets = change([hit.asset for hit in rows], np.random.default_rng(0))
    table = Collections(app.settings.data / "collections").create(name, app.model(collection))
    table.add(assets, [hit.thumbnail for hit in rows], snapshot.vectors)
    app.warm(name)
    return name


def with_conditions(app: App, source: str, conditions: Mapping[str, Texts]) -> dict[str, str]:
    """Copies of a collection by their conditions."""
    return {
        name: with_texts(app, source, f"{source}-{number}", change)
        for number, (name, change) in enumerate(conditions.items())
    }
