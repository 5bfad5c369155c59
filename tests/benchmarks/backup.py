"""Backup, verification and restore of 25,000 pictures: seconds, bytes, and what copying the files alone takes.

`make bench NAME=backup`
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from core.access import OPERATOR
from core.app import open_app
from core.records.backups import RestoreOptions
from core.records.verification import VerificationOptions
from core.settings import Settings
from core.store.lance.collections import Collections
from core.text import format_bytes
from tests.benchmarks.measure import record_ratio, verdict
from tests.benchmarks.planted_collection import create_planted_collection

SIZE, ADDED, THUMBNAIL_BYTES = 25_000, 250, 14_000
VERIFY_BUDGET, BACKUP_BUDGET = 10.0, 10.0
SEARCH_PAUSE_S = 0.02

_T = TypeVar("_T")


def seconds(what: str, call: Callable[[], _T]) -> tuple[float, _T]:
    start = time.perf_counter()
    result = call()
    took = time.perf_counter() - start
    print(f"{what:<58}{took:>8.2f} s")
    return took, result


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def give_own_thumbnails(data: Path, name: str) -> None:
    """Thumbnails of a usual size that cannot be shared or compressed, as real ones."""
    collections, rng = Collections(data / "collections"), np.random.default_rng(1)
    shared, own = collections.open(name), collections.create(f"{name}-own", collections.open(name).model)
    vectors = dict(zip((snapshot := shared.snapshot()).ids, snapshot.vectors, strict=True))
    for first in range(0, len(snapshot), 2_500):
        assets = [asset for asset, _ in shared.assets(snapshot.ids[first : first + 2_500])]
        own.add(assets, [rng.bytes(THUMBNAIL_BYTES) for _ in assets], np.stack([vectors[a.id] for a in assets]))
    own.compact()


class Searches:
    """Searches all the time, and remembers the slowest of them."""

    def __init__(self, search: Callable[[], object]) -> None:
        self._search, self._stop = search, threading.Event()
        self.took_ms: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Searches:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(SEARCH_PAUSE_S):
            start = time.perf_counter()
            self._search()
            self.took_ms.append((time.perf_counter() - start) * 1000)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        data, place = Path(folder) / "data", Path(folder) / "backups"
        app = open_app(Settings(data=data, model="bundled", model_is_explicit=True))
        create_planted_collection(app, "shared", SIZE)
        give_own_thumbnails(data, "shared")
        app.removal.delete(OPERATOR, "shared", "shared")
        size = bytes_below(data)
        print(f"{SIZE:,} pictures, {format_bytes(size)} on disk\n")
        copied_s, _ = seconds(
            "copying the folder (shutil.copytree)", lambda: shutil.copytree(data, Path(folder) / "copy")
        )
        shutil.rmtree(Path(folder) / "copy")
        first_s, first = seconds("first backup, verified", lambda: app.backups.back_up(OPERATOR, place))
        print(f"    {format_bytes(first.written)} written, at most {format_bytes(first.announced)} announced")
        second_s, second = seconds("second backup, nothing new", lambda: app.backups.back_up(OPERATOR, place))
        print(f"    {format_bytes(second.written)} written (databases, and the dendrogram's and map's lists)")
        verify_s, report = seconds("verification", lambda: app.backups.verify(OPERATOR))
        print(f"    {report.summary}; {format_bytes(int(size / verify_s))} a second")
        _, backups = seconds("verification of both backups", lambda: app.backups.verify_backups(place))
        restored_s, _ = seconds(
            "restore under another name",
            lambda: app.backups.restore(OPERATOR, place, RestoreOptions(["shared-own"], as_name="again")),
        )
        with Searches(lambda: app.search("a bird on a branch", "shared-own")) as quiet:
            time.sleep(5)
        with Searches(lambda: app.search("a bird on a branch", "shared-own")) as busy:
            app.backups.back_up(OPERATOR, Path(folder) / "another")
            app.backups.verify(OPERATOR, ["shared-own"], VerificationOptions())
        p95 = [float(np.percentile(searches.took_ms, 95)) for searches in (quiet, busy)]
        print(f"\nsearch p95 quiet / during backup and verification: {p95[0]:.1f} / {p95[1]:.1f} ms")
        print(f"first backup ÷ copying {first_s / copied_s:.1f}, restore ÷ copying {restored_s / copied_s:.1f}")
        record_ratio("first backup by copying", first_s / copied_s, "lower")
        assert report.damages == backups.damages == ()
        met = [
            verdict("first backup", first_s, BACKUP_BUDGET, "s"),
            verdict("verification", verify_s, VERIFY_BUDGET, "s"),
            verdict("written by announced", first.written / first.announced, 1.0, ""),
        ]
        assert second_s > 0
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
