"""The map: a first fit with compilation and a second one, placement, drawing and selection of 200,000 points.

`make bench NAME=map`
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.atlas.colours import PALETTE
from core.atlas.fit import SEED, align_map, fit_map
from core.atlas.level_of_detail import LevelOfDetail
from core.atlas.placement import neighbour_recall, place_points
from core.atlas.selection import inside_polygon
from core.store.objects.map_files import MapFiles, StoredMap
from tests.benchmarks.measure import peak_memory_gb, timed, verdict

SIZE, DIMENSION, NEW_COUNT = 25_000, 512, 2_500
DRAWN_SIZE, BUDGETS, VERTICES = 200_000, (5_000, 6_000, 8_000), 50
FIT_BUDGET_S, SHORT_BUDGET_MS = 90.0, 10.0


def planted(n: int) -> NDArray[np.float32]:
    """Pictures of many kinds: 40 themes with groups of very different size and width, each along 3 directions."""
    rng = np.random.default_rng(0)
    count = n // 20
    themes = 0.9 * rng.standard_normal(DIMENSION) + 0.6 * rng.standard_normal((40, DIMENSION))
    own = rng.standard_normal((count, DIMENSION)) * rng.uniform(0.2, 0.6, (count, 1))
    centres = (themes[rng.integers(0, 40, count)] + own).astype(np.float32)
    share = np.minimum(rng.pareto(1.0, count) + 1, 60)
    group = rng.choice(count, n, p=share / share.sum())
    directions = (rng.standard_normal((count, 3, DIMENSION)) * rng.uniform(0.15, 0.5, (count, 1, 1))).astype(np.float32)
    rows = centres[group] + 0.25 * rng.standard_normal((n, DIMENSION), np.float32)
    for axis in range(3):
        rows += rng.standard_normal((n, 1), np.float32) * directions[group, axis]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def fit_and_save(vectors: Path, coordinates: Path) -> None:
    """Run in a fresh process: print the seconds, including import and compilation of UMAP, and the peak memory."""
    rows = np.load(vectors)
    start_s = time.perf_counter()
    np.save(coordinates, fit_map(rows))
    print(time.perf_counter() - start_s, peak_memory_gb())


def fit_in_fresh_process(folder: Path, name: str) -> tuple[float, NDArray[np.float32]]:
    command = [sys.executable, "-m", "tests.benchmarks.map", str(folder / "vectors.npy"), str(folder / f"{name}.npy")]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "numba")}
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    seconds, peak_gb = map(float, output.split())
    print(f"fit of {SIZE:,} × {DIMENSION}, {name}: {seconds:.1f} s, peak memory {peak_gb:.2f} GB")
    return seconds, np.load(folder / f"{name}.npy")


def bench_fit(folder: Path) -> tuple[bool, NDArray[np.float32]]:
    first_s, first = fit_in_fresh_process(folder, "nothing compiled yet")
    _, second = fit_in_fresh_process(folder, "compiled before")
    print(f"both maps are the same: {np.array_equal(first, second)}")
    return verdict("first fit with compilation", first_s, FIT_BUDGET_S, "s") and np.array_equal(first, second), first


def bench_storage(folder: Path, coordinates: NDArray[np.float32]) -> None:
    ids = tuple(f"{row:064x}" for row in range(len(coordinates)))
    stored, maps = StoredMap("v1", ids, coordinates, np.ones(len(ids), bool), SEED), MapFiles(folder / "maps")
    writing = timed("put", lambda i: maps.put(replace(stored, version=f"v{i}")), 10)
    reading = timed("latest", lambda _: maps.latest(), 20)
    print(f"\nfrom disk: {reading.p50_ms:.1f} ms, to disk: {writing.p50_ms:.1f} ms (medians)")


def bench_place(vectors: NDArray[np.float32], coordinates: NDArray[np.float32]) -> bool:
    rng = np.random.default_rng(1)
    queries = vectors[rng.integers(0, SIZE, 300)] + 0.02 * rng.standard_normal((300, DIMENSION)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    placing = timed("place", lambda i: place_points(queries[i : i + 1], vectors, coordinates), 300)
    print(f"placing one picture: p50 {placing.p50_ms:.2f} ms")
    return verdict("placing one picture, p95", placing.p95_ms, SHORT_BUDGET_MS, "ms")


def bench_agreement(vectors: NDArray[np.float32], scratch: NDArray[np.float32]) -> None:
    old, new = np.arange(SIZE - NEW_COUNT), np.arange(SIZE - NEW_COUNT, SIZE)
    before = fit_map(vectors[old])
    placed = np.concatenate([before, place_points(vectors[new], vectors[old], before)])
    refit = fit_map(vectors, start=placed)
    print(
        f"\n{NEW_COUNT:,} new assets: true 15 nearest neighbours that are nearest on the map, and how far others moved"
    )
    for name, at in (
        ("placed", placed),
        ("fitted again", refit),
        ("fitted from scratch", align_map(scratch, before, old)),
    ):
        moved = np.linalg.norm(at[old] - before, axis=1)
        print(
            f"  {name:<20} {neighbour_recall(vectors, at, new):6.1%}   "
            f"median {np.median(moved):.3f}, p90 {np.quantile(moved, 0.9):.3f} of a map 2 wide"
        )


def bench_drawing(coordinates: NDArray[np.float32]) -> bool:
    rng = np.random.default_rng(2)
    many = coordinates[rng.integers(0, SIZE, DRAWN_SIZE)] + rng.normal(0, 0.004, (DRAWN_SIZE, 2)).astype(np.float32)
    start_s = time.perf_counter()
    level_of_detail = LevelOfDetail(many, rng.integers(0, 2**32, DRAWN_SIZE, np.uint32))
    print(f"\n{DRAWN_SIZE:,} points: prepared once in {time.perf_counter() - start_s:.2f} s")
    angles = np.linspace(0, 2 * np.pi, VERTICES, endpoint=False)
    lasso = np.column_stack([np.cos(angles), np.sin(angles)]) * rng.uniform(0.6, 1.2, (VERTICES, 1))
    sampling = timed("sample", lambda _: level_of_detail.sample(None, BUDGETS[0]), 100)
    zoomed = timed("sample", lambda _: level_of_detail.sample((-0.5, -0.5, 0.3, 0.3), BUDGETS[0]), 100)
    selecting = timed("lasso", lambda _: inside_polygon(many, lasso), 100)
    print(
        f"sample p50 {sampling.p50_ms:.2f} ms, zoomed {zoomed.p50_ms:.2f} ms; lasso p50 {selecting.p50_ms:.2f} ms, "
        f"{inside_polygon(many, lasso).mean():.0%} inside"
    )
    for budget in BUDGETS:
        rows = level_of_detail.sample(None, budget).rows
        print(
            f"{budget:,} drawn: {figure_kb(many, rows):.0f} kB, with titles to hover {figure_kb(many, rows, 40):.0f} kB"
        )
    return all(
        [
            verdict("sample of the whole map, p95", sampling.p95_ms, SHORT_BUDGET_MS, "ms"),
            verdict(f"lasso of {VERTICES} vertices, p95", selecting.p95_ms, SHORT_BUDGET_MS, "ms"),
        ]
    )


def figure_kb(coordinates: NDArray[np.float32], rows: NDArray[np.int32], title_length: int = 0) -> float:
    """The size of the JSON sent to a browser for these points: typed arrays in base64, optionally a text for each."""
    scale = [(number / (len(PALETTE) - 1), colour) for number, colour in enumerate(PALETTE)]
    colour = np.arange(len(rows)).astype(np.uint8) % len(PALETTE)
    points = go.Scattergl(
        x=coordinates[rows, 0],
        y=coordinates[rows, 1],
        mode="markers",
        marker={"color": colour.astype(np.uint8), "colorscale": scale, "cmin": 0, "cmax": len(PALETTE) - 1},
        text=["x" * title_length] * len(rows) if title_length else None,
    )
    return len(go.Figure(points, layout={"template": "none"}).to_json()) / 1000


def main() -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vectors = planted(SIZE)
        np.save(folder / "vectors.npy", vectors)
        fitted, coordinates = bench_fit(folder)
        bench_storage(folder, coordinates)
    results = [fitted, bench_place(vectors, coordinates), bench_drawing(coordinates)]
    bench_agreement(vectors, coordinates)
    return all(results)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        fit_and_save(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        raise SystemExit(0 if main() else 1)
