"""Vector search: our resident matrix against LanceDB without an index and a plain NumPy sort, in one run.

`make bench NAME=search`
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.records.assets import Asset, ModelCard
from core.records.descriptions import Description
from core.search.vector_search import nearest_rows
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from tests.benchmarks.measure import peak_memory_gb, record_ratio, show, timed, verdict

DIMENSION, TOP, QUERIES = 512, 10, 200
SIZES = (25_000, 100_000)
BUDGET_P95_MS = 5.0


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def text_like(vectors: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Queries far from every row, as CLIP's text vectors are: cosines to their own row around 0.3."""
    rows = vectors[rng.integers(0, len(vectors), count)]
    return unit(0.3 * rows + 0.95 * unit(rng.standard_normal(rows.shape).astype(np.float32)))


def filled_table(folder: Path, vectors: NDArray[np.float32]) -> AssetTable:
    table = Collections(folder).create("bench", ModelCard("bench", "1", DIMENSION))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for start in range(0, len(vectors), 5_000):
        rows = vectors[start : start + 5_000]
        assets = [Asset(f"{i:064x}", (), Description(), 1, 1, now) for i in range(start, start + len(rows))]
        table.add(assets, [b""] * len(rows), rows)
    return table


def sorted_by_numpy(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.argsort(-(vectors @ query), kind="stable")[:TOP]


def run(size: int) -> bool:
    rng = np.random.default_rng(0)
    vectors = unit(rng.standard_normal((size, DIMENSION)).astype(np.float32))
    queries = np.concatenate([text_like(vectors, QUERIES // 2, rng), vectors[rng.integers(0, size, QUERIES // 2)]])
    with tempfile.TemporaryDirectory() as folder:
        table = filled_table(Path(folder), vectors)
        flat = table._table
        ours = timed("resident matrix (ours)", lambda i: nearest_rows(vectors, queries[i], TOP), QUERIES)
        peers = [
            timed("NumPy product and full sort", lambda i: sorted_by_numpy(vectors, queries[i]), 50),
            timed(
                "LanceDB, no index",
                lambda i: flat.search(queries[i]).distance_type("dot").select(["id", "_distance"]).limit(TOP).to_list(),
                50,
            ),
        ]
    show(f"{size:,} × {DIMENSION} float32, top {TOP}, {QUERIES} queries", [ours, *peers], ours)
    for peer in peers:
        record_ratio(f"{peer.name} ÷ ours, {size:,} assets, p50", peer.p50_ms / ours.p50_ms)
    exact = np.mean([set(nearest_rows(vectors, q, TOP)[0]) == set(sorted_by_numpy(vectors, q)) for q in queries])
    print(f"same ten as the full sort: {exact:.0%} of queries · peak memory {peak_memory_gb():.2f} GB")
    if size > SIZES[0]:
        return bool(exact == 1)
    return verdict("p95, 25,000 assets", ours.p95_ms, BUDGET_P95_MS, "ms") and bool(exact == 1)


if __name__ == "__main__":
    results = [run(size) for size in SIZES]
    raise SystemExit(0 if all(results) else 1)
