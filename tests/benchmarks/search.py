"""Search: by vectors, and by vectors and words together, beside LanceDB's own and a plain NumPy sort, in one run.

`make bench NAME=search`
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import FTS
from lancedb.rerankers import RRFReranker
from numpy.typing import NDArray

from core.records.assets import Asset, ModelCard
from core.records.descriptions import Description
from core.search.closest_matches import DEPTH
from core.search.collection_words import CollectionWords
from core.search.fusion import FULL_WEIGHT
from core.search.ordering import Ordered, order_rows
from core.search.stemming import Language
from core.search.vector_search import nearest_rows
from core.store.lance.collections import Collections
from core.store.lance.table import AssetTable
from core.store.lance.text_columns import FIELDS, TextColumns
from tests.benchmarks.measure import peak_memory_gb, record_ratio, show, timed, verdict

DIMENSION, TOP, QUERIES = 512, 10, 200
SIZES = (25_000, 100_000)
BUDGET_P95_MS = 5.0
FUSED_BUDGET_P95_MS = {100_000: 15.0}
VOCABULARY, WORDS_PER_TEXT = 30_000, 14


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


# -- vectors and words --------------------------------------------------------------------------------------


def planted_texts(count: int, rng: np.random.Generator) -> list[str]:
    """Texts whose words are as frequent as in captions without the most frequent ones: the first in 4 % of them."""
    names = np.array([f"w{number:x}" for number in range(VOCABULARY)])
    shares = 1 / (np.arange(VOCABULARY) + 30.0)
    words = names[rng.choice(VOCABULARY, (count, WORDS_PER_TEXT), p=shares / shares.sum())]
    return [" ".join(row) for row in words]


def queries_in_words(texts: list[str], count: int, rng: np.random.Generator) -> list[str]:
    """One to three words of a text each."""
    rows = rng.integers(0, len(texts), count)
    return [" ".join(rng.choice(texts[row].split(), rng.integers(1, 4), replace=False)) for row in rows]


def text_columns(texts: list[str]) -> TextColumns:
    """Texts as the descriptions of assets."""
    empty = pa.array([""] * len(texts), pa.string())
    columns = dict.fromkeys(FIELDS, empty) | {"description": pa.array(texts)}
    return TextColumns(tuple(f"{i:064x}" for i in range(len(texts))), columns)


def run_words(size: int) -> bool:
    rng = np.random.default_rng(0)
    vectors, texts = unit(rng.standard_normal((size, DIMENSION)).astype(np.float32)), planted_texts(size, rng)
    vector_queries, word_queries = text_like(vectors, QUERIES, rng), queries_in_words(texts, QUERIES, rng)
    columns, everything = text_columns(texts), np.ones(size, np.bool_)
    started = time.perf_counter()
    words = CollectionWords(lambda: columns, columns.ids, Language())
    words.prepare()
    print(f"\nindex of {size:,} texts built in {time.perf_counter() - started:.2f} s")

    def fused(i: int) -> Ordered:
        found = pool.submit(words.matches, word_queries[i])
        similarity = vectors @ vector_queries[i]
        return order_rows(similarity, found.result(), everything, DEPTH, FULL_WEIGHT)

    with ThreadPoolExecutor(1) as pool:
        ours = timed("pixels and words (ours)", fused, QUERIES)
    pixels = timed("pixels alone", lambda i: nearest_rows(vectors, vector_queries[i], TOP), QUERIES)
    only_words = timed("words alone", lambda i: words.matches(word_queries[i]), QUERIES)
    with tempfile.TemporaryDirectory() as folder:
        table = hybrid_table(Path(folder), vectors, texts)
        hybrid = timed(
            "LanceDB hybrid, no vector index", lambda i: hybrid_ids(table, vector_queries[i], word_queries[i]), 30
        )
    show(
        f"{size:,} × {DIMENSION} float32 and texts of {WORDS_PER_TEXT} words", [ours, pixels, only_words, hybrid], ours
    )
    record_ratio(f"LanceDB hybrid ÷ ours, {size:,} assets, p50", hybrid.p50_ms / ours.p50_ms)
    budget = FUSED_BUDGET_P95_MS.get(size)
    return budget is None or verdict(f"pixels and words, p95, {size:,} assets", ours.p95_ms, budget, "ms")


def hybrid_table(folder: Path, vectors: NDArray[np.float32], texts: list[str]) -> Any:
    flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION)
    rows = pa.table({"id": pa.array(np.arange(len(texts))), "vector": flat, "text": texts})
    table = lancedb.connect(folder).create_table("bench", rows)
    table.create_index("text", config=FTS())
    return table


def hybrid_ids(table: Any, vector: NDArray[np.float32], words: str) -> list[int]:
    """The first ten of LanceDB's hybrid search, by reciprocal ranks."""
    query = table.search(query_type="hybrid", vector_column_name="vector", fts_columns="text").vector(vector)
    found = query.text(words).distance_type("dot").rerank(RRFReranker()).limit(TOP).to_arrow()
    return list(found["id"].to_pylist())


if __name__ == "__main__":
    results = [check(size) for check in (run, run_words) for size in SIZES]
    raise SystemExit(0 if all(results) else 1)
