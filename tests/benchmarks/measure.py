"""Timing and printing, the same for every benchmark."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


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


def peak_memory_gb() -> float:
    """The most memory this process has held, in GB (resident)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9
