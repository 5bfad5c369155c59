"""Two thousand damages at random: the other collections stay usable, one clear line, and backups give all back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

from core.settings import PROJECT
from tests.fakes.trials import ALL_TRIALS

PROCESSES, COUNT, SEED = (2, 1_000, 20_261) if ALL_TRIALS else (1, 30, 7)
# What damage to them does is undone by the next backup or compaction, or was never read any more.
REPLACEABLE = {"bin _transactions", "table _transactions", "bin _versions hint", "table _versions hint"}


def test_a_damaged_file_takes_nothing_else_down_and_is_told_in_one_line() -> None:
    commands = [[sys.executable, "-m", "tests.fakes.damages", str(SEED + n), str(COUNT)] for n in range(PROCESSES)]
    running = [
        subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    outcomes, wrong = Counter[tuple[str, str]](), list[str]()
    for process in running:
        document = json.loads(process.communicate(timeout=7200)[0])
        outcomes.update({(kind, outcome): times for kind, outcome, times in document["outcomes"]})
        wrong += document["wrong"]
    kinds = sorted({kind for kind, _ in outcomes})
    for kind in kinds:
        print(f"{kind:<22}", {outcome: times for (each, outcome), times in outcomes.items() if each == kind})
    real = sum(times for (_, outcome), times in outcomes.items() if outcome in ("found", "missed"))
    found = sum(times for (_, outcome), times in outcomes.items() if outcome == "found")
    print(f"{sum(outcomes.values())} damages, {real} changed something, {found} of these found")
    assert wrong == []
    assert sum(outcomes.values()) == PROCESSES * COUNT
    assert found >= 0.75 * real
    # Pictures, vectors and words of a collection have checksums of their own.
    assert outcomes["table data", "missed"] == 0
    assert all(outcomes[kind, "missed"] == 0 for kind in REPLACEABLE)
