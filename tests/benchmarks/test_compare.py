from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.compare import BASELINE, TOLERANCE, compare_ratios, main, updated


def document(ratios: dict[str, float], better: str = "higher", **more: Any) -> dict[str, Any]:
    return {"ratios": {name: {"value": value, "better": better} for name, value in ratios.items()}, **more}


def a_run(
    ratios: dict[str, float], better: str = "higher", benchmarks: tuple[str, ...] = ("search",)
) -> dict[str, Any]:
    return document(ratios, better, benchmarks=list(benchmarks), machine="m2")


def failing(baseline: dict[str, Any], run: dict[str, Any]) -> list[str]:
    return [change.name for change in compare_ratios(baseline, run) if change.fails(TOLERANCE)]


@pytest.mark.parametrize(
    ("better", "now", "fails"),
    [
        ("higher", 8.1, False),
        ("higher", 7.9, True),
        ("higher", 30.0, False),
        ("lower", 12.4, False),
        ("lower", 12.6, True),
        ("lower", 1.0, False),
    ],
)
def test_a_ratio_may_be_a_quarter_worse_and_any_amount_better(better: str, now: float, fails: bool) -> None:
    assert bool(failing(document({"search: a": 10.0}, better), a_run({"search: a": now}, better))) is fails


def test_a_ratio_that_a_benchmark_no_longer_measures_fails_and_a_new_one_does_not() -> None:
    assert failing(document({"search: gone": 2.0}), a_run({"search: new": 2.0})) == ["search: gone"]


def test_benchmarks_that_were_not_run_are_not_compared() -> None:
    assert failing(document({"linkage: a": 10.0}), a_run({"search: a": 1.0})) == []


def test_an_update_replaces_the_ratios_of_the_benchmarks_that_ran_alone() -> None:
    baseline = document({"search: gone": 1.0, "linkage: a": 3.0}, machines={"search": "m1", "linkage": "m1"})
    assert updated(baseline, a_run({"search: a": 2.0})) == document(
        {"linkage: a": 3.0, "search: a": 2.0}, machines={"linkage": "m1", "search": "m2"}
    )


def test_the_command_prints_a_table_and_fails_until_the_baseline_is_updated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline, run = tmp_path / "baseline.json", tmp_path / "run.json"
    baseline.write_text(json.dumps(document({"search: a": 10.0}, machines={})), encoding="utf-8")
    run.write_text(json.dumps(a_run({"search: a": 5.0})), encoding="utf-8")
    arguments = [str(run), "--baseline", str(baseline)]
    assert main(arguments) == 1
    assert capsys.readouterr().out.splitlines()[1].split() == ["WORSE", "search:", "a", "10", "5", "+100%"]
    assert main([*arguments, "--update"]) == 0
    assert main(arguments) == 0


def test_the_recorded_baseline_can_be_compared_with() -> None:
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    benchmarks = {name.partition(": ")[0] for name in baseline["ratios"]}
    assert set(baseline["machines"]) == benchmarks
    assert failing(baseline, {**baseline, "benchmarks": sorted(benchmarks)}) == []
