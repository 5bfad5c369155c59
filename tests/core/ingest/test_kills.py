"""An ingest that is killed at any moment (SIGKILL) is run again, and nothing is lost, doubled or left behind."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from core.store.lance import table as table_module
from core.store.objects.locks import ingest_lock, write_lock
from tests.fakes.colour_app import colour_app, contents, open_table
from tests.fakes.killed_ingest import ingest_announced
from tests.fakes.strikes import Kill, Victim, strike
from tests.fakes.trials import trials

STAGES = ("decode", "write", "commit", "compaction")
ENTRIES = {"decode": 400, "write": 100, "commit": 15, "compaction": 2}
LONGEST_MS = {"decode": 2.0, "write": 1.0, "commit": 10.0, "compaction": 15.0}
LINGERING, AT_WORK, ATTEMPTS = trials(10), trials(10), 80
SOONER_AFTER = 2 * (LINGERING + AT_WORK)


def make_pictures(folder: Path) -> Path:
    """600 files: 440 different pictures, 140 with the bytes of another, 20 that cannot be read."""
    rng = np.random.default_rng(3)
    for number in range(440):
        subfolder = folder / f"{number % 7}"
        subfolder.mkdir(parents=True, exist_ok=True)
        pixels = np.full((120, 160, 3), rng.integers(0, 256, 3), np.uint8)
        Image.fromarray(pixels).save(subfolder / f"{number:03}.{('png', 'jpg', 'webp')[number % 3]}")
    originals = sorted(folder.rglob("*.*"))
    for number in range(140):
        path = originals[int(rng.integers(len(originals)))]
        (folder / f"{number % 7}" / f"again-{number:03}{path.suffix}").write_bytes(path.read_bytes())
    for number in range(20):
        path = originals[int(rng.integers(len(originals)))]
        (folder / f"{number % 7}" / f"bad-{number:02}.png").write_bytes(path.read_bytes()[: 10 + number])
    return folder


class Victims:
    """Starts one process after the other; each finishes what the one before it had begun."""

    def __init__(self, data: Path, pictures: Path) -> None:
        self._data, self._pictures = data, pictures
        self._begun: str | None = None

    def strike(self, collection: str, kill: Kill) -> bool:
        """Finish the former collection, begin this one and kill; whether that hit the stage."""
        struck = strike(ingest_announced, (self._data, self._pictures, self._begun, collection), kill)
        self._begun = collection
        return struck.inside

    def finish(self) -> None:
        """Finish the last collection."""
        Victim(ingest_announced, (self._data, self._pictures, self._begun, None), Kill("decode", 0, 0, False)).wait()


def kills(stage: str, rng: random.Random) -> list[Kill]:
    """Seeded moments: first lingering in the stage, then while its work goes on, sooner where that was too late."""
    return [
        Kill(
            stage,
            rng.randint(1, ENTRIES[stage]),
            rng.uniform(0, LONGEST_MS[stage]) / (1 + number // SOONER_AFTER),
            lingers=number < LINGERING,
        )
        for number in range(ATTEMPTS)
    ]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("killed") / "pictures")


@pytest.fixture(scope="module")
def uninterrupted(pictures: Path) -> dict[str, tuple[Any, ...]]:
    data = pictures.parent / "uninterrupted"
    report = colour_app(data).ingest(pictures, "c")
    assert (report.added, report.known, len(report.failures)) == (440, 140, 20)
    return contents(open_table(data, "c"))


def test_an_ingest_killed_in_any_stage_ends_like_an_uninterrupted_one(
    pictures: Path, uninterrupted: dict[str, tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pictures.parent / "killed"
    victims, rng, struck = Victims(data, pictures), random.Random(2), list[str]()
    for stage in STAGES:
        hits = Counter[str]()
        for kill in kills(stage, rng):
            struck.append(f"{stage}{len(struck)}")
            if victims.strike(struck[-1], kill):
                hits["lingering" if kill.lingers else "at work"] += 1
            if hits["lingering"] >= LINGERING and hits["at work"] >= AT_WORK:
                break
        assert hits["lingering"] + hits["at work"] >= LINGERING + AT_WORK, (stage, hits)
        print(f"{stage}: {dict(hits)}")
    victims.finish()
    print(f"{len(struck)} kills")
    for collection in struck:
        assert contents(open_table(data, collection)) == uninterrupted, collection
        nothing_is_left_behind(data, collection, monkeypatch)


def nothing_is_left_behind(data: Path, collection: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock is held; after compaction every file belongs to the one version there is."""
    folder, table = data / "collections" / collection, open_table(data, collection)
    before = contents(table)
    with ingest_lock(folder), write_lock(folder, wait_s=0.0):
        pass
    monkeypatch.setattr(table_module, "VERSION_RETENTION", timedelta(0))
    with pytest.warns(UserWarning, match="removes every version"):
        table.compact()
    assert contents(table) == before
    assert not list(folder.rglob(".*"))
    files = Counter(path.parent.name for path in folder.rglob("*") if path.is_file())
    fragments = table._table.stats()["fragment_stats"]["num_fragments"]
    assert (files["data"], files["_versions"], files["_transactions"]) == (fragments, 2, 1), files
    assert len(list((folder / "assets.lance" / "_indices").iterdir())) == 1
    assert {p.name for p in folder.iterdir()} <= {
        "assets.lance",
        "collection.json",
        "ingest.lock",
        "turn.lock",
        "write.lock",
    }
