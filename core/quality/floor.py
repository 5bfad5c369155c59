"""The gate: the minimum a label set has to reach, recorded as the lower bootstrap bound of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from core.disk import write_whole
from core.errors import QualityError
from core.quality.evaluation import scores
from core.quality.label_sets import LabelSet
from core.quality.relevance import MEASURE_NAMES, RELEVANCE_MEASURES
from core.records.evaluations import EvaluationRun, RankerName

FLOOR_FILE = "floor.json"


@dataclass(frozen=True)
class QualityFloor:
    """What a label set measured when its floor was recorded, and the minimum of every measure."""

    digest: str
    queries: int
    model: str
    checkpoint: str
    collection_version: str
    recorded_at: str
    measured: Mapping[str, float]
    minimum: Mapping[str, float]
    ranker: RankerName = "vector"


def floor_from_run(run: EvaluationRun) -> QualityFloor:
    """The floor that a run sets, to four digits, minimums rounded down."""
    found = scores(run.outcomes).measures
    return QualityFloor(
        digest=run.digest,
        queries=len(run.outcomes),
        model=run.model,
        checkpoint=run.checkpoint,
        collection_version=run.collection_version,
        recorded_at=run.at.isoformat(timespec="seconds"),
        measured={name: round(found[name].value, 4) for name in MEASURE_NAMES},
        minimum={name: int(found[name].low * 10_000) / 10_000 for name in MEASURE_NAMES},
        ranker=run.ranker,
    )


def read_floors(path: Path) -> dict[tuple[str, RankerName], QualityFloor]:
    """The floors of a file by the label file's name and the ranker; none if there is no such file.

    Raises QualityError.
    """
    if not path.exists():
        return {}
    try:
        floors = {name: _floor(entry) for name, entry in json.loads(path.read_text(encoding="utf-8")).items()}
        return {(name.split()[0], floor.ranker): floor for name, floor in floors.items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise QualityError(f"{path} cannot be read as floors ({error!r}): restore it, or record it again") from error


def _floor(entry: Mapping[str, Any]) -> QualityFloor:
    least = entry["least"]
    if set(least) != set(MEASURE_NAMES) or not all(0 <= float(value) <= 1 for value in least.values()):
        raise ValueError(f"least is {least!r}")
    if entry.get("ranker", "vector") not in get_args(RankerName):
        raise ValueError(f"ranker is {entry['ranker']!r}")
    return QualityFloor(**{name: value for name, value in entry.items() if name != "least"}, minimum=least)


def _entry(floor: QualityFloor) -> dict[str, Any]:
    """A floor as its file holds it: what is `minimum` here is `least` there."""
    entry = asdict(floor)
    return {**{name: value for name, value in entry.items() if name != "minimum"}, "least": entry["minimum"]}


def write_floor(path: Path, labels: str, floor: QualityFloor) -> None:
    """Set the floor of one label file and ranker, atomically."""
    floors = read_floors(path) | {(labels, floor.ranker): floor}
    entries = {_key(name, ranker): _entry(known) for (name, ranker), known in floors.items()}
    write_whole(path, (json.dumps(entries, indent=2, sort_keys=True) + "\n").encode())


def _key(labels: str, ranker: RankerName) -> str:
    """What an entry of the file is called: older files name the label file alone, for pixels."""
    return labels if ranker == "vector" else f"{labels} {ranker}"


def check_label_set(floor: QualityFloor, labels: LabelSet) -> None:
    """Raise QualityError if a label set has changed since its floor was recorded."""
    if floor.digest != labels.digest:
        raise QualityError(
            f"{labels.name} has changed since its floor was recorded ({floor.digest}, now {labels.digest}): "
            f"run `python -m core evaluate data/eval/{labels.name} --record-floor`"
        )


def violations(floor: QualityFloor, run: EvaluationRun) -> list[str]:
    """The measures of a run that are below the floor, each as a phrase; also queries that can no longer be asked."""
    found = scores(run.outcomes).measures
    faults = [
        f"{m.title} {found[m.name].value:.4f} is under {floor.minimum[m.name]:.4f}"
        for m in RELEVANCE_MEASURES
        if found[m.name].value < floor.minimum[m.name]
    ]
    if len(run.outcomes) < floor.queries:
        faults.append(f"only {len(run.outcomes)} of {floor.queries} queries could be asked")
    return faults
