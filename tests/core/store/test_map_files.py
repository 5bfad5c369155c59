from __future__ import annotations

import errno
import logging
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import ClusterError, StoreError
from core.logs import ROOT_LOGGER
from core.store.objects.locks import write_lock
from core.store.objects.map_files import MapFiles, StoredMap
from tests.core.store.test_full_disk import disk, leave_free  # noqa: F401 - a fixture


def stored(version: str, assets: int = 5, seed: int = 0) -> StoredMap:
    rng = np.random.default_rng(seed)
    ids = tuple(rng.bytes(32).hex() for _ in range(assets))
    return StoredMap(version, ids, rng.random((assets, 2), np.float32), rng.random(assets) < 0.8, seed)


def same(one: StoredMap | None, other: StoredMap) -> bool:
    return (
        one is not None
        and (one.version, one.asset_ids, one.seed) == (other.version, other.asset_ids, other.seed)
        and np.array_equal(one.coordinates, other.coordinates)
        and np.array_equal(one.fitted, other.fitted)
        and (one.coordinates.dtype, one.fitted.dtype) == (np.float32, np.bool_)
    )


@pytest.fixture
def maps(tmp_path: Path) -> MapFiles:
    return MapFiles(tmp_path / "maps")


@pytest.mark.parametrize("assets", [0, 1, 50])
def test_a_map_comes_back_as_it_was_stored(maps: MapFiles, assets: int) -> None:
    assert maps.get("v1") is None
    maps.put(stored("v1", assets, seed=7))
    assert same(maps.get("v1"), stored("v1", assets, seed=7))
    assert maps.get("v2") is None


def test_the_latest_map_is_the_one_stored_last_whatever_its_version(maps: MapFiles, tmp_path: Path) -> None:
    assert maps.latest() is None
    for number, version in enumerate(["b", "c", "a"]):
        maps.put(stored(version))
        os.utime(tmp_path / "maps" / f"{version}.npz", (1e9 + number, 1e9 + number))
    assert same(maps.latest(), stored("a"))


def test_where_the_latest_map_is_damaged_the_one_before_is_taken(maps: MapFiles, tmp_path: Path) -> None:
    for number, version in enumerate(["v1", "v2"]):
        maps.put(stored(version))
        os.utime(tmp_path / "maps" / f"{version}.npz", (1e9 + number, 1e9 + number))
    (tmp_path / "maps" / "v2.npz").write_bytes(b"PK\x03\x04")
    assert same(maps.latest(), stored("v1"))


def test_the_mark_changes_with_every_map_that_is_stored(maps: MapFiles, tmp_path: Path) -> None:
    marks = [maps.change_token()]
    for number, version in enumerate(["v1", "v2", "v2"]):
        maps.put(stored(version))
        os.utime(tmp_path / "maps" / f"{version}.npz", (1e9 + number, 1e9 + number))
        marks.append(maps.change_token())
    assert marks[0] == 0
    assert len(set(marks)) == 4
    assert maps.change_token() == marks[-1]


def test_a_file_that_another_process_removes_meanwhile_is_passed_over(maps: MapFiles, tmp_path: Path) -> None:
    maps.put(stored("v1"))
    (tmp_path / "maps" / "v2.npz").symlink_to(tmp_path / "gone")
    assert same(maps.latest(), stored("v1"))


def test_the_newest_three_are_kept_whatever_the_clock_says(maps: MapFiles, tmp_path: Path) -> None:
    for number in range(1, 5):
        maps.put(stored(f"v{number}"))
        os.utime(tmp_path / "maps" / f"v{number}.npz", (1e9 + number, 1e9 + number))
    assert [f"v{n}" for n in range(1, 5) if maps.get(f"v{n}")] == ["v2", "v3", "v4"]
    for path in (tmp_path / "maps").glob("*.npz"):
        os.utime(path, (4e9, 4e9))
    maps.put(stored("v5"))
    assert maps.get("v5") is not None
    assert len(list((tmp_path / "maps").glob("*.npz"))) == 3


def test_a_map_whose_parts_do_not_fit_each_other_is_refused(maps: MapFiles) -> None:
    good = stored("v1")
    with pytest.raises(
        ClusterError, match=r"of 5 assets is \(5, 2\) float32 and \(5,\) bool, not \(4, 2\) float32 and"
    ):
        maps.put(replace(good, coordinates=good.coordinates[:4]))
    with pytest.raises(ClusterError, match=r"not \(5, 2\) float64"):
        maps.put(replace(good, coordinates=good.coordinates.astype(np.float64)))  # type: ignore[arg-type]
    with pytest.raises(ClusterError, match=r"\(5, 2\) float32 and \(3,\) bool"):
        maps.put(replace(good, fitted=good.fitted[:3]))
    with pytest.raises(ClusterError, match="not finite"):
        maps.put(replace(good, coordinates=np.full((5, 2), np.nan, np.float32)))
    assert maps.latest() is None


def test_a_damaged_map_is_removed_with_a_line_in_the_log_and_can_be_stored_again(
    maps: MapFiles, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(ROOT_LOGGER), "propagate", True)
    path, rng = tmp_path / "maps" / "v1.npz", random.Random(5)
    maps.put(stored("v1", 20))
    whole = path.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :] for at in rng.sample(range(len(whole)), 200)]
    cut = [whole[: rng.randrange(len(whole))] for _ in range(50)]
    for content in [b"", b"text", b"PK\x03\x04", whole + whole[:99], *flipped, *cut]:
        path.write_bytes(content)
        caplog.clear()
        found = maps.get("v1")
        if found is None:
            assert "a damaged map is removed" in caplog.text
            assert not path.exists()
        else:  # the flipped byte is one that nobody reads
            assert same(found, stored("v1", 20))
    maps.put(stored("v1", 20))
    assert maps.get("v1") is not None


def test_a_file_that_belongs_to_another_version_is_not_taken(maps: MapFiles, tmp_path: Path) -> None:
    maps.put(stored("v1"))
    (tmp_path / "maps" / "v1.npz").rename(tmp_path / "maps" / "v2.npz")
    assert maps.get("v2") is None


def test_a_write_that_fails_leaves_the_map_that_was_there(
    maps: MapFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps.put(stored("v1", seed=1))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"maps could not be written \(the disk is full\)"):
            maps.put(stored("v1", seed=2))
    assert same(maps.get("v1"), stored("v1", seed=1))
    assert not list((tmp_path / "maps").glob("*.draft"))


def test_a_full_disk_is_told_and_takes_the_map_once_there_is_space(disk: Path) -> None:  # noqa: F811
    maps = MapFiles(disk / "maps")
    with write_lock(disk / "maps"):
        ballast = leave_free(disk, 40)
    with pytest.raises(StoreError, match="the disk is full"):
        maps.put(stored("v1", 5_000))
    assert maps.get("v1") is None
    ballast.unlink()
    maps.put(stored("v1", 5_000))
    assert same(maps.latest(), stored("v1", 5_000))


def test_a_folder_that_cannot_be_read_is_not_taken_for_damage(
    maps: MapFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps.put(stored("v1"))

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(np, "load", refuse)
    with pytest.raises(StoreError, match=r"could not be read \(access is denied\)"):
        maps.latest()
    assert (tmp_path / "maps" / "v1.npz").exists()
