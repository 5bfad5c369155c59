"""Every benchmark, one after the other: `make bench`."""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "search",
    "encode",
    "precision",
    "ingest",
    "latency",
    "ranking",
    "telemetry",
    "unsplash",
    "linkage",
    "map",
    "slider",
    "duplicates",
    "load",
)

if __name__ == "__main__":
    raise SystemExit(max(subprocess.call([sys.executable, "-m", f"tests.benchmarks.{name}"]) for name in NAMES))
