"""Two thousand damages at random: the other collections stay usable, one clear line, and backups give all back."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from core.settings import PROJECT
from tests.fakes.trials import ALL_TRIALS

BATCHES, BATCH_SIZE, SEED = (80, 25, 20_261) if ALL_TRIALS else (1, 30, 7)
# LanceDB reserves the memory that a damaged length asks for, gigabytes at worst, and ends its process if there is none.
MAX_MEMORY_BYTES, MAX_ABORTED = 8_000_000_000, 0.01
# What damage to them does is undone by the next backup or compaction, or was never read any more.
REPLACEABLE = {"bin _transactions", "table _transactions", "bin _versions hint", "table _versions hint"}


def test_a_damaged_file_takes_nothing_else_down_and_is_told_in_one_line() -> None:
    with ThreadPoolExecutor(2) as pool:
        documents = list(pool.map(batch, range(SEED, SEED + BATCHES)))
    whole = [document for document in documents if document is not None]
    outcomes, wrong = Counter[tuple[str, str]](), list[str]()
    for document in whole:
        outcomes.update({(kind, outcome): times for kind, outcome, times in document["outcomes"]})
        wrong += document["wrong"]
    for kind in sorted({kind for kind, _ in outcomes}):
        print(f"{kind:<22}", {outcome: times for (each, outcome), times in outcomes.items() if each == kind})
    real = sum(times for (_, outcome), times in outcomes.items() if outcome in ("found", "missed"))
    found = sum(times for (_, outcome), times in outcomes.items() if outcome == "found")
    aborted = len(documents) - len(whole)
    print(f"{sum(outcomes.values())} damages, {real} changed something, {found} of these found; {aborted} more aborted")
    assert wrong == []
    assert aborted <= MAX_ABORTED * BATCHES * BATCH_SIZE
    assert found >= 0.75 * real
    # Pictures, vectors and words of a collection have checksums of their own.
    assert outcomes["table data", "missed"] == 0
    assert all(outcomes[kind, "missed"] == 0 for kind in REPLACEABLE)


def batch(seed: int) -> dict[str, Any] | None:
    """The outcomes of some damages; None if one of them ended the process."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.fakes.damages", str(seed), str(BATCH_SIZE)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=limit_memory,
        timeout=1800,
    )
    return json.loads(ended.stdout) if ended.returncode == 0 else None


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
