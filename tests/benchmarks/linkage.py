"""The dendrogram: ours against scikit-learn, SciPy and fastcluster, and cuts of it, in one run.

`make bench NAME=linkage` measures 2,000, 10,000 and 25,000 rows; `make bench NAME="linkage --sizes 100000"` other sizes
(above 25,000 ours alone); `make bench NAME="linkage --device cuda"` ours alone, on an accelerator, up to 1,000,000.

The rows are 512-dimensional: a fifth is uniform, the others are in n / 25 clusters of very uneven size (Pareto), each
with its own spread (average cosine within a cluster 0.62 to 0.94); centres have an average cosine of 0.36. Every
contender runs in its own process, so that its peak memory can be measured; imports count as memory, not as time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from core.clusters.tree.cut import cut
from core.clusters.tree.linkage import Linkage
from tests.benchmarks.measure import peak_memory_gb, record_ratio, timed, verdict

DIMENSION, CUTS = 512, 200
SIZES, JUDGED_SIZE = (2_000, 10_000, 25_000), 25_000
ACCELERATOR_SIZES = (25_000, 100_000, 1_000_000)
FASTER_BY, BUDGET_GB, BUDGET_CUT_MS = 15.0, 1.0, 20.0
USUAL_THRESHOLD = 0.82
GB_PER_PAIR = {"scikit-learn": 6.5e-9, "SciPy": 16.5e-9, "fastcluster": 8.5e-9}  # of rows: n² times this


@dataclass(frozen=True)
class Outcome:
    """Time and memory of one contender; merge rounds, searches and floating-point operations in products of ours."""

    seconds: float
    peak_gb: float
    rounds: int = 0
    searches: int = 0
    tflop: float = 0.0


def synthetic(n: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    clusters = max(1, n // 25)
    weights = rng.pareto(1.2, clusters) + 0.2
    centres = 0.6 * unit(normal(rng, 1)) + 0.8 * unit(normal(rng, clusters))
    spread = rng.uniform(0.25, 0.78, clusters).astype(np.float32)
    own = rng.choice(clusters, n, p=weights / weights.sum())
    rows = np.empty((n, DIMENSION), np.float32)
    for start in range(0, n, 10_000):
        block = own[start : start + 10_000]
        noise = normal(rng, len(block)) / np.float32(np.sqrt(DIMENSION))
        unclustered = rng.random((len(block), 1)) < 0.2
        clustered = centres[block] + spread[block, None] * noise
        rows[start : start + 10_000] = unit(np.where(unclustered, noise, clustered))
    return rows


def normal(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    return rng.standard_normal((count, DIMENSION), np.float32)


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ours(vectors: NDArray[np.float32], folder: Path, device: str, distance: float) -> dict[str, Any]:
    import torch

    from core.clusters.tree.linkage import average_linkage
    from core.clusters.tree.merging import ReciprocalMerger

    average_linkage(vectors[:100], device=device)
    counts = {"rounds": 0, "searches": 0, "tflop": 0.0}

    def counting(owner: object, name: str, count: str, amount: Callable[..., float]) -> Any:
        """Patch a function so that each call adds `amount` of its arguments to a count."""
        original = getattr(owner, name)

        def counted(*args: Any, **options: Any) -> Any:
            counts[count] += amount(*args)
            return original(*args, **options)

        return mock.patch.object(owner, name, counted)

    with (
        counting(torch, "mm", "tflop", lambda a, b: 2e-12 * a.numel() * b.shape[1]),
        counting(ReciprocalMerger, "_merge", "rounds", lambda *_: 1),
        counting(ReciprocalMerger, "_search", "searches", lambda *_: 1),
    ):
        start = time.perf_counter()
        linkage = average_linkage(vectors, device=device)
        seconds = time.perf_counter() - start
    np.save(folder / "z.npy", linkage.z)
    return {"seconds": seconds, **counts}


def scikit_learn(vectors: NDArray[np.float32], folder: Path, device: str, distance: float) -> dict[str, Any]:
    from sklearn.cluster import AgglomerativeClustering

    model = AgglomerativeClustering(n_clusters=None, metric="cosine", linkage="average", distance_threshold=distance)
    start = time.perf_counter()
    model.fit(vectors)
    seconds = time.perf_counter() - start
    np.save(folder / "labels.npy", model.labels_)
    return {"seconds": seconds}


def scipy(vectors: NDArray[np.float32], folder: Path, device: str, distance: float) -> dict[str, Any]:
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import pdist

    start = time.perf_counter()
    linkage(pdist(vectors, "cosine"), "average")
    return {"seconds": time.perf_counter() - start}


def fast_cluster(vectors: NDArray[np.float32], folder: Path, device: str, distance: float) -> dict[str, Any]:
    import fastcluster
    from scipy.spatial.distance import pdist

    start = time.perf_counter()
    fastcluster.linkage(pdist(vectors, "cosine"), "average", preserve_input=False)
    return {"seconds": time.perf_counter() - start}


CONTENDERS = {"ours": ours, "scikit-learn": scikit_learn, "SciPy": scipy, "fastcluster": fast_cluster}


def run_contender(name: str, folder: Path, device: str, distance: float) -> None:
    """Run one contender in this process and print its outcome."""
    outcome = CONTENDERS[name](np.load(folder / "vectors.npy"), folder, device, distance)
    print(json.dumps({**outcome, "peak_gb": peak_memory_gb()}))


def measure(name: str, folder: Path, device: str = "cpu", distance: float = 0.0) -> Outcome:
    """The outcome of one contender in a process of its own."""
    command = ["--contender", name, "--folder", str(folder), "--device", device, "--distance", repr(distance)]
    done = subprocess.run([sys.executable, "-m", __spec__.name, *command], check=True, stdout=subprocess.PIPE)
    return Outcome(**json.loads(done.stdout))


def print_outcome(name: str, outcome: Outcome, own: Outcome) -> None:
    columns = f"{name:<16}{outcome.seconds:>10.2f}{1000 * outcome.peak_gb:>10.0f}{outcome.seconds / own.seconds:>12.1f}"
    if outcome.rounds:
        columns += f"   {outcome.rounds} rounds, {outcome.searches} searches, {outcome.tflop:.2f} TFLOP"
    print(columns, flush=True)


def clear_distance(z: NDArray[np.float64]) -> float:
    """The distance nearest to the usual threshold's that is midway between merges more than 1e-6 apart."""
    heights = z[:, 2]
    gaps = np.flatnonzero(np.diff(heights) > 1e-6)
    middles = (heights[gaps] + heights[gaps + 1]) / 2
    return float(middles[np.abs(middles - (1 - USUAL_THRESHOLD)).argmin()])


def same_partition(a: NDArray[np.integer], b: NDArray[np.integer]) -> bool:
    return len(np.unique(np.column_stack([a, b]), axis=0)) == len(np.unique(a)) == len(np.unique(b))


def lack_of_memory(name: str, size: int) -> str:
    """Why a contender cannot run here, empty if it can."""
    needed_gb = GB_PER_PAIR[name] * size**2
    total_gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return "" if needed_gb < 0.8 * total_gb else f"not run: needs {needed_gb:.0f} GB, the machine has {total_gb:.0f}"


def run(size: int) -> bool:
    print(f"\n{size:,} × {DIMENSION} float32\n{'':<16}{'seconds':>10}{'peak MB':>10}{'÷ ours':>12}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "vectors.npy", synthetic(size))
        own = measure("ours", folder)
        print_outcome("ours", own, own)
        z = np.load(folder / "z.npy")
        if size > JUDGED_SIZE:
            return True
        distance, outcomes = clear_distance(z), {}
        for name in ("fastcluster", "SciPy", "scikit-learn"):
            if missing := lack_of_memory(name, size):
                print(f"{name:<16}{missing}")
                continue
            outcomes[name] = measure(name, folder, distance=distance)
            print_outcome(name, outcomes[name], own)
            record_ratio(f"{name} ÷ ours, {size:,} rows, seconds", outcomes[name].seconds / own.seconds)
        linkage = Linkage(z, size)
        peer_labels = np.load(folder / "labels.npy") if "scikit-learn" in outcomes else None
    return judge(linkage, distance, own, outcomes.get("scikit-learn"), peer_labels)


def judge(
    linkage: Linkage, distance: float, own: Outcome, peer: Outcome | None, peer_labels: NDArray[np.integer] | None
) -> bool:
    start = time.perf_counter()
    linkage.tree  # noqa: B018 - computed once, before the first cut
    print(f"laying out the tree, once: {1000 * (time.perf_counter() - start):.1f} ms")
    thresholds = np.random.default_rng(0).uniform(linkage.similarities[-1], 1, CUTS)
    cuts = timed("cut", lambda i: cut(linkage, thresholds[i]), CUTS)
    print(f"{CUTS} cuts at thresholds all over: p50 {cuts.p50_ms:.2f} ms, p95 {cuts.p95_ms:.2f} ms")
    results = []
    if peer_labels is not None:
        labels = cut(linkage, 1 - distance)
        results.append(same_partition(labels, peer_labels))
        print(
            f"{'same' if results[0] else 'NOT the same'} partition as scikit-learn's at {1 - distance:.4f}: "
            f"{labels.max() + 1:,} clusters"
        )
    if linkage.n == JUDGED_SIZE:
        results.append(verdict("cut, 25,000 rows, p95", cuts.p95_ms, BUDGET_CUT_MS, "ms"))
        results.append(verdict("peak memory, 25,000 rows", own.peak_gb, BUDGET_GB, "GB"))
        if peer:
            share = own.seconds / peer.seconds
            results.append(verdict("time as a share of scikit-learn's", 100 * share, 100 / FASTER_BY, "%"))
    return all(results)


def run_on(device: str, size: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        np.save(folder / "vectors.npy", synthetic(size))
        own = measure("ours", folder, device)
    print(
        f"{size:>9,} rows on {device}: {own.seconds:.2f} s, {own.tflop / own.seconds:.2f} TFLOP/s "
        f"({own.rounds} rounds, {own.searches} searches, {own.tflop:.1f} TFLOP)",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--contender", choices=CONTENDERS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--distance", type=float, default=0.0)
    options = parser.parse_args()
    if options.contender:
        run_contender(options.contender, options.folder, options.device, options.distance)
        return 0
    if options.device != "cpu":
        for size in options.sizes or ACCELERATOR_SIZES:
            run_on(options.device, size)
        return 0
    results = [run(size) for size in options.sizes or SIZES]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
