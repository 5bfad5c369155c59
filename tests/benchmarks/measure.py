"""Timing and printing, the same for every benchmark."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

# The environment variable that names the file to which ratios are appended, a JSON object a line.
RATIOS_FILE = "BENCHMARK_RATIOS_FILE"
Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Timing:
    """Wall times of repeated calls, in milliseconds."""

    name: str
    p50_ms: float
    p95_ms: float


def timed(name: str, call: Callable[[int], object], repeats: int, warmup: int = 5) -> Timing:
    """Call `call(i)` for i in 0..repeats-1 after a warm-up and keep the median and the 95th percentile."""
    for i in range(warmup):
        call(i)
    times = []
    for i in range(repeats):
        start = time.perf_counter()
        call(i)
        times.append((time.perf_counter() - start) * 1000)
    return Timing(name, *np.percentile(times, [50, 95]).tolist())


def show(title: str, timings: list[Timing], own: Timing) -> None:
    """Print a table, each peer with its ratio to our own."""
    print(f"\n{title}")
    print(f"{'':<34}{'p50 ms':>10}{'p95 ms':>10}{'p50 ÷ ours':>12}")
    for t in timings:
        print(f"{t.name:<34}{t.p50_ms:>10.2f}{t.p95_ms:>10.2f}{t.p50_ms / own.p50_ms:>12.1f}")


def verdict(what: str, value: float, budget: float, unit: str, at_least: bool = False) -> bool:
    """Print whether a budget (an upper bound, or a lower one with `at_least`) is met."""
    met = value >= budget if at_least else value <= budget
    bound = "at least " if at_least else ""
    print(f"{'MET   ' if met else 'MISSED'}  {what}: {value:.2f} {unit} (budget {bound}{budget:g} {unit})")
    return met


def record_ratio(name: str, value: float, better: Better = "higher") -> None:
    """Keep a ratio of two figures of this run for `make bench-compare`; without it, do nothing.

    A ratio depends on the machine far less than a time does. Its name is unique in its benchmark and does not change.
    """
    if path := os.environ.get(RATIOS_FILE):
        with Path(path).open("a", encoding="utf-8") as file:
            print(json.dumps({"name": name, "value": float(f"{value:.3g}"), "better": better}), file=file)


def peak_memory_gb() -> float:
    """The most memory this process has held, in GB (resident)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9
