from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CollectionBusy, CollectionError
from core.records.assets import Asset, Location, ModelCard
from core.records.created_time import CreatedTime
from core.records.descriptions import Description
from core.store.lance import collections as collections_module
from core.store.lance import schema
from core.store.lance.collections import Collections
from core.store.lance.snapshot import COLUMNS, Snapshot, collection_version, read_snapshot
from core.store.lance.table import AssetTable
from core.store.objects.locks import ingest_lock, write_lock
from core.store.objects.names import check_collection_name, path_to_uri, uri_to_path
from core.store.sql.database import Database
from core.store.sql.migrations import Migration
from tests.fakes.child_processes import FORKS

MODEL = ModelCard("local-dir:colour", "fake-1", 4)


def asset(number: int, title: str = "") -> Asset:
    about = Description(
        title=title or f"picture {number}",
        keywords=("k", "ä"),
        licence="CC0",
        created=CreatedTime(datetime(2020, 1, 1), "day"),
    )
    return Asset(
        f"{number:064x}", (Location(f"/x/{number}.jpg", "x"),), about, 40, 30, datetime(2026, 1, 1, tzinfo=UTC)
    )


def vectors(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, 4)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def collections(tmp_path: Path) -> Collections:
    return Collections(tmp_path / "collections")


@pytest.fixture
def table(collections: Collections) -> AssetTable:
    return collections.create("birds", MODEL)


def fill(table: AssetTable, count: int) -> None:
    table.add([asset(i) for i in range(count)], [b"jpeg%d" % i for i in range(count)], vectors(count))


def test_an_asset_comes_back_as_it_went_in(table: AssetTable) -> None:
    fill(table, 3)
    assert table.assets([asset(2).id, "f" * 64, asset(0).id]) == [(asset(2), b"jpeg2"), (asset(0), b"jpeg0")]


def test_a_snapshot_holds_vectors_and_columns_of_every_asset(table: AssetTable) -> None:
    fill(table, 5)
    snapshot = table.snapshot()
    assert snapshot.ids == tuple(asset(i).id for i in range(5))
    assert np.array_equal(snapshot.vectors, vectors(5))
    assert snapshot.vectors.dtype == np.float32
    assert snapshot.keywords[0] == ("k", "ä")
    assert snapshot.created_us[0] == 1577836800 * 10**6


@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 4))
def test_a_snapshot_holds_whatever_comes_however_many_were_counted(rows: int, counted: int, at_once: int) -> None:
    assets = [asset(number) for number in range(rows)]
    read = schema.to_table(assets, [b""] * rows, vectors(rows)).select(COLUMNS)
    snapshot = read_snapshot(read.to_batches(max_chunksize=at_once), counted, MODEL)
    assert snapshot.ids == tuple(a.id for a in assets)
    assert snapshot.version == collection_version(MODEL, snapshot.ids)
    assert np.array_equal(snapshot.vectors, vectors(rows))
    assert snapshot.vectors.flags.c_contiguous
    assert snapshot.width.tolist() == [40] * rows
    assert snapshot.sources == (("x",),) * rows


def test_a_title_is_the_files_name_where_nobody_gave_one() -> None:
    named = [asset(0), replace(asset(1), about=Description()), replace(asset(2), locations=(), about=Description())]
    read = schema.to_table(named, [b""] * 3, vectors(3)).select(COLUMNS)
    snapshot = read_snapshot(read.to_batches(), 3, MODEL)
    assert snapshot.titles == ("picture 0", "1.jpg", "")
    assert snapshot.keywords == (("k", "ä"), (), ())
    assert snapshot.created_us.tolist()[1:] == [Snapshot.NO_NUMBER] * 2


def test_the_order_of_a_snapshot_is_told_apart_and_its_version_is_not() -> None:
    first, second = (
        read_snapshot(schema.to_table(some, [b""] * 2, vectors(2)).select(COLUMNS).to_batches(), 2, MODEL)
        for some in ([asset(0), asset(1)], [asset(1), asset(0)])
    )
    assert first.version == second.version
    assert first.order_hash != second.order_hash


def test_adding_known_assets_again_changes_nothing(table: AssetTable) -> None:
    fill(table, 3)
    added = table.add([asset(1, "other"), asset(7)], [b"a", b"b"], vectors(2, seed=9))
    assert (added, table.count()) == (1, 4)
    assert table.assets([asset(1).id])[0][0].title == "picture 1"


def test_further_places_of_an_asset_are_kept_once_and_vectors_stay(table: AssetTable) -> None:
    fill(table, 3)
    table.add_locations(
        {asset(1).id: [Location("/y/1.jpg"), Location("/x/1.jpg", "x")], "e" * 64: [Location("/nowhere")]}
    )
    assert table.uris([asset(1).id, asset(2).id]) == {asset(1).id: ("/x/1.jpg", "/y/1.jpg"), asset(2).id: ("/x/2.jpg",)}
    snapshot = table.snapshot()
    assert np.array_equal(snapshot.vectors[snapshot.ids.index(asset(1).id)], vectors(3)[1])


def test_places_that_are_known_already_cause_no_commit(table: AssetTable) -> None:
    fill(table, 2)
    before = table.change_token()
    table.add_locations({asset(1).id: [Location("/x/1.jpg", "x")]})
    assert table.change_token() == before


@pytest.mark.parametrize(
    ("given_vectors", "message"),
    [
        (vectors(2), r"shape \(1, 4\) float32, not \(2, 4\) float32"),
        (vectors(1).astype(np.float64), "float64"),
        (vectors(1) * 2, "unit length, not of 2"),
        (np.full((1, 4), np.nan, np.float32), "unit length, not of nan"),
    ],
)
def test_vectors_that_do_not_fit_are_refused_and_nothing_is_written(
    table: AssetTable, given_vectors: np.ndarray, message: str
) -> None:
    with pytest.raises(CollectionError, match=message):
        table.add([asset(0)], [b""], given_vectors)
    assert table.count() == 0


def test_compaction_keeps_every_asset_and_the_collection_version(table: AssetTable) -> None:
    for number in range(6):
        table.add([asset(number)], [b"x"], vectors(1, seed=number))
    before = table.snapshot()
    table.compact()
    table.compact()
    after = table.snapshot()
    assert after.version == before.version
    assert sorted(after.ids) == sorted(before.ids)
    assert table.assets([asset(3).id])[0][1] == b"x"


def test_compaction_brings_the_rows_into_one_fragment(table: AssetTable) -> None:
    for number in range(3):
        table.add([asset(number)], [b"x"], vectors(1, seed=number))
    assert table.fragments_and_versions()[0] == 3
    table.compact()
    fragments, versions = table.fragments_and_versions()
    assert fragments == 1
    assert versions > 1


def test_a_reader_beside_compaction_and_writing_sees_the_latest_rows(
    collections: Collections, table: AssetTable
) -> None:
    reader = collections.open("birds")
    assert reader.count() == 0
    fill(table, 4)
    assert reader.count() == 4
    table.compact()
    assert len(reader.snapshot()) == 4


def test_the_collection_version_depends_on_model_and_ids_alone() -> None:
    ids = [asset(1).id, asset(2).id]
    assert collection_version(MODEL, ids) == collection_version(MODEL, reversed(ids))
    assert collection_version(MODEL, ids) != collection_version(MODEL, ids[:1])
    assert collection_version(MODEL, ids) != collection_version(ModelCard("local-dir:colour", "fake-2", 4), ids)


def test_a_collection_describes_itself(collections: Collections, table: AssetTable) -> None:
    fill(table, 3)
    about = collections.describe("birds")
    assert (about.name, about.model, about.size) == ("birds", MODEL, 3)
    assert about.bytes_on_disk > 0
    assert collections.names() == ["birds"]


def test_a_name_can_be_taken_once(collections: Collections, table: AssetTable) -> None:
    with pytest.raises(CollectionError, match="already"):
        collections.create("birds", MODEL)


def test_a_missing_collection_is_named_with_those_that_exist(collections: Collections, table: AssetTable) -> None:
    with pytest.raises(CollectionError, match=r"no collection 'fish' \(there are: birds\)"):
        collections.open("fish")


def test_a_collection_that_was_not_finished_does_not_exist_and_can_be_made(tmp_path: Path) -> None:
    folder = tmp_path / "collections"
    Collections(folder).create("birds", MODEL)
    (folder / "birds" / "collection.json").unlink()
    assert Collections(folder).names() == []
    assert Collections(folder).create("birds", MODEL).count() == 0


def test_a_removed_collection_is_gone(collections: Collections, table: AssetTable) -> None:
    collections.delete("birds")
    assert collections.names() == []
    with pytest.raises(CollectionError, match="no collection"):
        collections.open("birds")


def test_a_collection_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "collections"
    Collections(folder).create("birds", MODEL)
    description = folder / "birds" / "collection.json"
    description.write_text(json.dumps({**json.loads(description.read_text()), "schema": schema.VERSION + 1}))
    with pytest.raises(CollectionError, match="update"):
        Collections(folder).open("birds")


def test_a_damaged_description_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "collections"
    Collections(folder).create("birds", MODEL)
    (folder / "birds" / "collection.json").write_text("{")
    with pytest.raises(CollectionError, match=r"birds is damaged \(its description cannot be read: collection\.json"):
        Collections(folder).describe("birds")


def test_an_older_table_is_migrated_when_it_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "collections"
    fill(Collections(folder).create("birds", MODEL), 2)
    steps: list[int] = []
    monkeypatch.setattr(schema, "VERSION", 4)
    monkeypatch.setattr(
        collections_module,
        "MIGRATIONS",
        (
            *collections_module.MIGRATIONS,
            lambda table: steps.append(table.count_rows()),
            lambda table: table.add_columns({"stars": "cast(0 as int)"}),
        ),
    )
    assert Collections(folder).open("birds").count() == 2
    assert Collections(folder).open("birds").assets([asset(1).id])[0][0] == asset(1)
    assert steps == [2]
    assert json.loads((folder / "birds" / "collection.json").read_text())["schema"] == 4


@pytest.mark.parametrize("name", ["", "Birds", "../birds", "a/b", ".", "-a", "a" * 64, "birds\n", "vögel"])
def test_names_that_are_no_safe_folder_are_refused(name: str) -> None:
    with pytest.raises(CollectionError, match="cannot name a collection"):
        check_collection_name(name)


@given(st.binary(min_size=1, max_size=40).filter(lambda raw: b"\x00" not in raw))
def test_every_path_survives_as_text(raw: bytes) -> None:
    path = Path(os.fsdecode(b"/" + raw))
    uri = path_to_uri(path)
    uri.encode("utf-8")
    assert uri_to_path(uri) == path


def test_readable_paths_stay_readable() -> None:
    assert path_to_uri(Path("/bilder/Vögel 1.jpg")) == "/bilder/Vögel 1.jpg"
    assert path_to_uri(Path(os.fsdecode(b"/x/\xff.jpg"))) == "/x/%FF.jpg"


def _hold(folder: str, started: object, seconds: float) -> None:
    with ingest_lock(Path(folder)), write_lock(Path(folder)):
        started.set()  # type: ignore[attr-defined]
        time.sleep(seconds)


def hold_elsewhere(folder: Path, seconds: float) -> multiprocessing.Process:
    started = FORKS.Event()
    process = FORKS.Process(target=_hold, args=(str(folder), started, seconds))
    process.start()
    assert started.wait(60)
    return process


def test_a_second_ingest_is_refused_at_once_and_a_short_write_waits(tmp_path: Path) -> None:
    process = hold_elsewhere(tmp_path / "birds", 1.0)
    with pytest.raises(CollectionBusy, match="another ingest into birds"), ingest_lock(tmp_path / "birds"):
        pass
    with pytest.raises(CollectionBusy, match="try again"), write_lock(tmp_path / "birds", wait_s=0.05):
        pass
    with write_lock(tmp_path / "birds", wait_s=30):
        assert True
    process.join()


def test_a_lock_ends_with_the_process_that_held_it(tmp_path: Path) -> None:
    process = hold_elsewhere(tmp_path / "birds", 600)
    process.kill()
    process.join()
    with ingest_lock(tmp_path / "birds"), write_lock(tmp_path / "birds"):
        assert process.exitcode != 0


def test_many_may_make_a_database_at_once(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def made(path: Path) -> int:
        together.wait(30)
        with Database(path, (Migration("t", ("CREATE TABLE t (a)",)),)).reading() as connection:
            return len(connection.execute("SELECT * FROM t").fetchall())

    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            assert list(pool.map(made, [tmp_path / f"{number}.db"] * 8)) == [0] * 8
