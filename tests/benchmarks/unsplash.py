"""An Unsplash dataset of thousands of photos from a synthetic server with faults: killed three times, then complete.

`make bench NAME=unsplash`, or `python -m tests.benchmarks.unsplash --photos 5000 --faults 0.05 --model bundled`. The
server runs in this process and takes processor time from the ingest, which runs in processes of its own.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from core.ingest.sources.unsplash import assets_by_photo
from core.settings import PROJECT
from tests.benchmarks.measure import verdict
from tests.fakes.colour_app import open_table
from tests.fakes.unsplash import FakeUnsplash

WIDTH, COMMIT_ASSETS, KILLS, LINES = 160, 256, 3, 12
MEMORY_GROWTH_MB = 150.0
COLLECTION = "lite"


class Attempt:
    """One process that adds the dataset, and its progress: (photos seen, seconds, memory in MB)."""

    def __init__(self, data: Path, tables: Path, model: str) -> None:
        arguments = [data, tables, COLLECTION, WIDTH, COMMIT_ASSETS, 0, model]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.killed_unsplash", *map(str, arguments)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.progress: list[tuple[int, float, float]] = []
        self.report: dict[str, Any] = {}

    def run(self, kill_at: int | None) -> None:
        """Let it finish, or kill it once it has seen `kill_at` photos."""
        with self._process as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith("{"):
                    self.report = json.loads(line)
                    continue
                done, seconds, memory = line.split()
                self.progress.append((int(done), float(seconds), float(memory)))
                if kill_at is not None and int(done) >= kill_at:
                    process.kill()
                    break

    def show(self) -> None:
        step = -(-len(self.progress) // LINES) or 1
        last_done, last_s = 0, 0.0
        for done, seconds, memory in self.progress[step - 1 :: step]:
            rate = (done - last_done) / max(seconds - last_s, 1e-6)
            print(f"  {done:>6} photos  {seconds:>7.1f} s  {rate:>7.1f} photos/s  {memory:>7.0f} MB")
            last_done, last_s = done, seconds


def run(count: int, share: float, model: str, folder: Path) -> bool:
    rng = random.Random(1)
    with FakeUnsplash(folder / "server", count, share, retry_after="1") as server:
        start = time.perf_counter()
        expected = server.expected(WIDTH)  # also draws every picture, so that the server only has to read files
        print(f"{count} photos drawn in {time.perf_counter() - start:.0f} s; faults: {Counter(server.faults.values())}")
        tables, data = server.write_zip(folder / "dataset.zip"), folder / "data"
        start = time.perf_counter()
        for kill in range(KILLS + 1):
            attempt = Attempt(data, tables, model)
            attempt.run(rng.randint(count // 8, count // 4) if kill < KILLS else None)
            print(f"run {kill + 1}: {'killed' if kill < KILLS else json.dumps(attempt.report)}")
            attempt.show()
        seconds = time.perf_counter() - start
        held = assets_by_photo(open_table(data, COLLECTION))
        rows = open_table(data, COLLECTION).count()
        fetched = sum(server.requests.values())
        print(f"\n{len(held)} photos in {seconds:.0f} s with {KILLS} kills, {fetched} requests for {count} photos")
        right = (
            held == expected
            and rows == len(set(expected.values()))
            and attempt.report["failures"] == server.unavailable()
        )
        print(f"{'MET   ' if right else 'MISSED'}  every photo there once: {rows} assets, {len(expected)} to be had,")
        print(f"        left out {attempt.report['failures']}, to be left out {dict(server.unavailable())}")
        settled = [memory for _, _, memory in attempt.progress[len(attempt.progress) // 4 :]]
        growth = settled[-1] - settled[0]
        return (
            verdict("memory grown over the last three quarters of the last run", growth, MEMORY_GROWTH_MB, "MB")
            and right
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=5000)
    parser.add_argument("--faults", type=float, default=0.05)
    parser.add_argument("--model", default="colour", help="colour (none at all) or the name of a model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        met = run(options.photos, options.faults, options.model, Path(temporary))
    raise SystemExit(0 if met else 1)
