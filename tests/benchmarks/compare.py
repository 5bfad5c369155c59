"""The ratios of a run against the recorded ones, so that nothing gets slower unnoticed.

`make bench-compare` runs the benchmarks and this; by hand, `python -m tests.benchmarks.all search --json FILE`, then
`python -m tests.benchmarks.compare FILE`. Ratios to a peer that was measured in the same run are compared, never times:
these depend on the machine. A ratio may be worse by a quarter, since machines are noisy. `--update` records the run's
ratios as the new baseline, for a change that is meant; those of benchmarks that were not run stay as they are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import Better

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.25


@dataclass(frozen=True)
class RatioChange:
    """One ratio then and now; None where it was not measured."""

    name: str
    before: float | None
    now: float | None
    better: Better

    @property
    def worse_by(self) -> float:
        """How much worse it is now, as a share: 0.25 is a quarter worse, and below 0 is better."""
        if self.before is None or self.now is None:
            return 0.0
        return (self.before / self.now if self.better == "higher" else self.now / self.before) - 1

    def fails(self, tolerance: float) -> bool:
        """Whether it is worse by more than the tolerance, or missing from the run."""
        return self.now is None or self.worse_by > tolerance


def compare_ratios(baseline: Mapping[str, Any], run: Mapping[str, Any]) -> list[RatioChange]:
    """The ratios of the benchmarks in `run`, by name; both are documents as `all --json` writes them."""
    before, now = baseline["ratios"], run["ratios"]
    expected = {name for name in before if name.partition(": ")[0] in run["benchmarks"]}
    return [
        RatioChange(name, _value(before, name), _value(now, name), (now.get(name) or before[name])["better"])
        for name in sorted(expected | set(now))
    ]


def updated(baseline: Mapping[str, Any], run: Mapping[str, Any]) -> dict[str, Any]:
    """The baseline with the ratios of the benchmarks in `run` replaced by the run's."""
    ran = set(run["benchmarks"])
    others = {name: ratio for name, ratio in baseline["ratios"].items() if name.partition(": ")[0] not in ran}
    machines = dict.fromkeys(ran, run["machine"]) | {
        benchmark: machine for benchmark, machine in baseline["machines"].items() if benchmark not in ran
    }
    return {"machines": dict(sorted(machines.items())), "ratios": dict(sorted({**others, **run["ratios"]}.items()))}


def table(changes: Sequence[RatioChange], tolerance: float) -> str:
    """A line for each ratio, those that fail marked."""
    width = max((len(change.name) for change in changes), default=0)
    lines = [f"{'':<6} {'':<{width}} {'before':>8} {'now':>8} {'worse by':>9}"]
    for c in changes:
        mark = "WORSE" if c.fails(tolerance) else "new" if c.before is None else ""
        worse_by = "" if c.before is None or c.now is None else f"{c.worse_by:+.0%}"
        lines.append(f"{mark:<6} {c.name:<{width}} {_text(c.before):>8} {_text(c.now):>8} {worse_by:>9}")
    return "\n".join(lines)


def _value(ratios: Mapping[str, Any], name: str) -> float | None:
    return ratios[name]["value"] if name in ratios else None


def _text(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the comparison; returns 1 if a ratio is worse by more than the tolerance, or missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="FILE", help="what `all --json FILE` wrote")
    parser.add_argument("--baseline", type=Path, default=BASELINE, metavar="FILE", help="the recorded ratios")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, metavar="SHARE", help="default: %(default)s")
    parser.add_argument("--update", action="store_true", help="record this run as the baseline instead")
    options = parser.parse_args(arguments)
    baseline, run = (json.loads(path.read_text(encoding="utf-8")) for path in (options.baseline, options.run))
    changes = compare_ratios(baseline, run)
    print(table(changes, options.tolerance))
    if options.update:
        text = json.dumps(updated(baseline, run), indent=2, ensure_ascii=False)
        options.baseline.write_text(f"{text}\n", encoding="utf-8")
        return 0
    return int(any(change.fails(options.tolerance) for change in changes))


if __name__ == "__main__":
    raise SystemExit(main())
