"""The gate on the real demo collection: the committed floor holds, and shuffled vectors fall under it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from core.access import Person
from core.app import App, open_app
from core.cli.quality_commands import EVAL_FOLDER
from core.quality.service import EvaluationTarget, QualityOptions, QualityService, SearchFunction
from core.records.assets import Asset, Hit, SearchResult
from core.records.descriptions import Description
from core.records.evaluations import RankerName
from core.search.answer import Answer, RequestCost
from core.search.vector_search import nearest_rows
from core.settings import Settings
from core.store.lance.snapshot import Snapshot
from core.store.sql.run_store import RunStore
from tests.fakes.colour_app import open_table

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def app(demo_data: Path) -> App:
    return open_app(Settings(data=demo_data, model="bundled", model_is_explicit=True))


@pytest.fixture
def snapshot(demo_data: Path) -> Snapshot:
    return open_table(demo_data, "demo").snapshot()


@pytest.fixture
def service_of(app: App, snapshot: Snapshot, tmp_path: Path) -> Callable[[SearchFunction], QualityService]:
    """A quality service with a search of one's own."""

    def service(search: SearchFunction) -> QualityService:
        target = EvaluationTarget(search, lambda _: snapshot, lambda _: app.encoders.get("bundled"))
        runs, quality = RunStore(tmp_path / "quality.db"), app.quality
        return QualityService(target, runs, quality.judging, quality.weak_labels, QualityOptions(environ={}))

    return service


def searching(app: App, snapshot: Snapshot) -> SearchFunction:
    """A search over the vectors of a snapshot, whatever they are."""

    def search(_: Person, query: str, collection: str, ranker: RankerName) -> Answer:
        vector = app.encoders.get("bundled").encode_texts([query])[0]
        rows, similarities, matching = nearest_rows(snapshot.vectors, vector, 10)
        hits = tuple(
            Hit(rank, similarity, Asset(snapshot.ids[row], (), Description(), 1, 1, NOW), b"")
            for rank, (row, similarity) in enumerate(zip(rows, similarities.tolist(), strict=True), 1)
        )
        return Answer(
            "x", NOW, SearchResult(collection, snapshot.version, query, hits, matching, {}), {}, RequestCost()
        )

    return search


def test_the_bundled_model_is_above_the_committed_floor(
    app: App, service_of: Callable[[SearchFunction], QualityService]
) -> None:
    checked = service_of(app._search_for_evaluation).validate(EVAL_FOLDER, "demo")
    assert [(c.labels, c.run.ranker, c.faults) for c in checked] == [
        ("demo.jsonl", "both", []),
        ("demo.jsonl", "vector", []),
    ]
    assert checked[0].run.absent == 0


def test_shuffled_vectors_fall_under_the_floor_in_every_measure(
    app: App, snapshot: Snapshot, service_of: Callable[[SearchFunction], QualityService]
) -> None:
    shuffled = replace(snapshot, vectors=snapshot.vectors[np.random.default_rng(1).permutation(len(snapshot))])
    checked = service_of(searching(app, shuffled)).validate(EVAL_FOLDER, "demo")
    assert [len(each.faults) for each in checked] == [5, 5]


def test_the_search_of_this_test_is_the_real_one_where_nothing_is_shuffled(
    app: App, snapshot: Snapshot, service_of: Callable[[SearchFunction], QualityService]
) -> None:
    _, by_pixels = service_of(searching(app, snapshot)).validate(EVAL_FOLDER, "demo")
    assert by_pixels.faults == []
