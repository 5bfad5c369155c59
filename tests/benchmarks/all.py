"""Every benchmark, one after the other: `make bench`; with `--json FILE` the ratios are kept, for `compare`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import RATIOS_FILE

NAMES = (
    "search",
    "encode",
    "precision",
    "ingest",
    "metadata",
    "latency",
    "ranking",
    "telemetry",
    "unsplash",
    "linkage",
    "map",
    "slider",
    "duplicates",
    "load",
    "backup",
)


def run(name: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run one benchmark: its exit code and its ratios by name."""
    with tempfile.TemporaryDirectory() as folder:
        ratios = Path(folder) / "ratios.jsonl"
        ratios.touch()
        code = subprocess.call(
            [sys.executable, "-m", f"tests.benchmarks.{name}"], env={**os.environ, RATIOS_FILE: str(ratios)}
        )
        found = [json.loads(line) for line in ratios.read_text(encoding="utf-8").splitlines()]
    return code, {f"{name}: {ratio.pop('name')}": ratio for ratio in found}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are named, or all; returns 0, or the exit code of one that failed or missed a budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help="benchmarks (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the ratios to a file")
    options = parser.parse_args(arguments)
    codes, ratios = [], dict[str, dict[str, Any]]()
    for name in options.names:
        code, found = run(name)
        codes.append(code)
        ratios |= found
    if options.json:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        document = {"machine": machine, "benchmarks": list(options.names), "ratios": ratios}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
