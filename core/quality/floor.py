"""The gate: what a label set has to reach, recorded as the lower bootstrap bound of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import QualityError
from core.quality.evaluation import scores
from core.quality.label_sets import LabelSet
from core.quality.relevance import NAMES, RELEVANCE_MEASURES
from core.records.evaluations import EvaluationRun

FILE = "floor.json"


@dataclass(frozen=True)
class Floor:
    """What was measured of a label set when it was recorded, and the `least` every measure may fall to."""

    digest: str
    queries: int
    model: str
    checkpoint: str
    collection_version: str
    recorded_at: str
    measured: Mapping[str, float]
    least: Mapping[str, float]


def floor_of(run: EvaluationRun) -> Floor:
    """The floor that a run sets; to four digits, the least rounded down."""
    found = scores(run.outcomes).measures
    return Floor(
        run.digest,
        len(run.outcomes),
        run.model,
        run.checkpoint,
        run.collection_version,
        run.at.isoformat(timespec="seconds"),
        {name: round(found[name].value, 4) for name in NAMES},
        {name: int(found[name].low * 10_000) / 10_000 for name in NAMES},
    )


def read_floors(path: Path) -> dict[str, Floor]:
    """The floors of a file by the label file's name; none if there is no such file. Raises QualityError."""
    if not path.exists():
        return {}
    try:
        return {name: _floor(entry) for name, entry in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise QualityError(f"{path} cannot be read as floors ({error!r}): restore it, or record it again") from error


def _floor(entry: Mapping[str, Any]) -> Floor:
    floor = Floor(**entry)
    if set(floor.least) != set(NAMES) or not all(0 <= float(least) <= 1 for least in floor.least.values()):
        raise ValueError(f"least is {floor.least!r}")
    return floor


def write_floor(path: Path, labels: str, floor: Floor) -> None:
    """Set the floor of one label file, whole or not at all."""
    floors = {name: asdict(known) for name, known in read_floors(path).items()} | {labels: asdict(floor)}
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(floors, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(path)


def check_labels(floor: Floor, labels: LabelSet) -> None:
    """Raise QualityError if a label set is not the one that the floor was recorded for."""
    if floor.digest != labels.digest:
        raise QualityError(
            f"{labels.name} has changed since its floor was recorded ({floor.digest}, now {labels.digest}): "
            f"run `python -m core evaluate data/eval/{labels.name} --record-floor`"
        )


def below(floor: Floor, run: EvaluationRun) -> list[str]:
    """The measures of a run that are under the floor, each as a phrase; also pictures that went missing."""
    found = scores(run.outcomes).measures
    faults = [
        f"{m.title} {found[m.name].value:.4f} is under {floor.least[m.name]:.4f}"
        for m in RELEVANCE_MEASURES
        if found[m.name].value < floor.least[m.name]
    ]
    if len(run.outcomes) < floor.queries:
        faults.append(f"only {len(run.outcomes)} of {floor.queries} queries could be asked")
    return faults
