"""The quality service: what a page or a command can ask of evaluations, the gate and judging."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from core.access import OPERATOR, Person
from core.embedding.encoder import Encoder
from core.errors import QualityError
from core.quality.blind import PooledPicture, pool_rankings
from core.quality.comparison import Comparison, Lift, compare, lift
from core.quality.evaluation import evaluate
from core.quality.floor import (
    FLOOR_FILE,
    QualityFloor,
    check_label_set,
    floor_from_run,
    read_floors,
    violations,
    write_floor,
)
from core.quality.judging import JudgingService
from core.quality.label_sets import ApplicableLabels, LabelSet, fit_to_collection, read_label_set
from core.quality.mlflow_tracking import log_to_mlflow
from core.quality.weak_labels import WeakLabels
from core.quality.zero_shot import ZeroShotAccuracy, labelled_folder, zero_shot
from core.records.evaluations import EvaluationRun, RankerName
from core.records.jobs import ProgressListener, ignore
from core.search.answer import Answer
from core.store.lance.snapshot import Snapshot
from core.store.sql.run_store import RunStore

SearchFunction = Callable[[Person, str, str, RankerName], Answer]


@dataclass(frozen=True)
class EvaluationTarget:
    """What is evaluated: `search(person, query, collection, ranker)`, and a collection's snapshot and encoder.

    The search answers with ten pictures or more, where the collection has so many.
    """

    search: SearchFunction
    snapshot: Callable[[str], Snapshot]
    encoder: Callable[[str], Encoder]


@dataclass(frozen=True)
class QualityOptions:
    """Whether a Gemini key is set, the host of the mock server used instead of Gemini (or ""), and the environment.

    The environment says whether runs are logged to MLflow.
    """

    key_is_set: bool = True
    mock_server_host: str = ""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


@dataclass(frozen=True)
class GateResult:
    """One label set at the gate: its run, and which measures are below the floor."""

    labels: str
    run: EvaluationRun
    faults: list[str]


class QualityService:
    """Evaluations of one installation. May be shared between threads."""

    def __init__(
        self,
        target: EvaluationTarget,
        runs: RunStore,
        judging: JudgingService,
        weak_labels: WeakLabels,
        options: QualityOptions = QualityOptions(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._target, self._options, self._now = target, options, now
        self.runs, self.judging, self.weak_labels = runs, judging, weak_labels

    def evaluate(
        self,
        person: Person,
        labels: LabelSet,
        collection: str,
        ranker: RankerName = "both",
        name: str = "",
        listener: ProgressListener = ignore,
    ) -> EvaluationRun:
        """Search a collection for every query of a label set and measure the results; the run is not saved.

        What Gemini costs counts as spent by `person`.

        Raises QualityError if the collection holds none of the pictures, CollectionError, ModelUnavailable.
        """
        snapshot, model = self._target.snapshot(collection), self._target.encoder(collection).card
        fitted = _fit(labels, collection, snapshot)

        def search(text: str) -> Answer:
            return self._target.search(person, text, collection, ranker)

        outcomes, seconds = evaluate(fitted, search, listener)
        ranked_any = any(outcome.ranking in ("ranked", "cached") for outcome in outcomes)
        return EvaluationRun(
            id=0,
            name=name,
            at=self._now(),
            model=model.name,
            checkpoint=model.checkpoint,
            collection=collection,
            collection_version=snapshot.version,
            ranker=ranker,
            labels=labels.name,
            digest=labels.digest,
            absent=fitted.absent,
            unanswerable=fitted.unanswerable,
            seconds=seconds,
            outcomes=outcomes,
            mock_server=self._options.mock_server_host if ranked_any else "",
        )

    def save(self, run: EvaluationRun) -> tuple[EvaluationRun, str]:
        """Save a run and log it to MLflow where that is configured; with one line on how the latter went, or none.

        Raises QualityError if the run's name is taken.
        """
        saved = self.runs.save(run)
        return saved, log_to_mlflow(saved, self._options.environ)

    def lift(self, run: EvaluationRun) -> Lift:
        """What Gemini's order adds in a run, per dollar and per second; or why that was not measured."""
        return lift(run, self._options.key_is_set)

    def compare(self, first: int | str, second: int | str) -> Comparison:
        """Compare two saved runs, by number or name. Raises QualityError if one is missing or their labels differ."""
        return compare(self.runs.get(first), self.runs.get(second))

    def record_floor(self, folder: Path, run: EvaluationRun) -> QualityFloor:
        """Make a run's lower bounds the floor of its label set, in `folder`. Raises QualityError for a partial run."""
        if run.ranker == "gemini" or run.absent:
            raise QualityError(
                f"a floor is recorded without Gemini over a whole collection (ranker: {run.ranker}, pictures absent: "
                f"{run.absent}): evaluate with another --ranker on the collection of the label set"
            )
        floor = floor_from_run(run)
        write_floor(folder / FLOOR_FILE, run.labels, floor)
        return floor

    def validate(self, folder: Path, collection: str, listener: ProgressListener = ignore) -> list[GateResult]:
        """Check every label set in `folder` that has a floor against it.

        Raises QualityError if there is no floor, or a label set has changed since its floor was recorded.
        """
        path = folder / FLOOR_FILE
        floors = read_floors(path)
        if not floors:
            raise QualityError(f"{path} holds no floor: run `python -m core evaluate FILE --record-floor`")
        results = []
        for (name, ranker), floor in sorted(floors.items()):
            labels = read_label_set(folder / name)
            check_label_set(floor, labels)
            run = self.evaluate(OPERATOR, labels, collection, ranker, listener=listener)
            results.append(GateResult(name, run, violations(floor, run)))
        return results

    def zero_shot(self, folder: Path, collection: str, listener: ProgressListener = ignore) -> ZeroShotAccuracy:
        """How well the collection's model tells the classes of a labelled folder apart. Raises QualityError."""
        labelled = labelled_folder(folder)
        return zero_shot(self._target.encoder(collection), labelled, listener)

    def blind_pool(
        self, person: Person, query: str, collection: str, depth: int, seed: str
    ) -> tuple[PooledPicture, ...]:
        """The first `depth` pictures by pixels and words and, where Gemini ranked, of its order in one shuffled
        list, to judge blind.

        Both orders come from one search of the person. Raises QueryError, CollectionError, ModelUnavailable,
        TooManyTries.
        """
        answer = self._target.search(person, query, collection, "gemini")
        orders = {"both": [hit.asset.id for hit in answer.result.hits]}
        if answer.ranking is not None and answer.ranking.failure is None:
            orders["gemini"] = [hit.asset.id for hit in answer.hits]
        return pool_rankings(orders, depth, seed)


def _fit(labels: LabelSet, collection: str, snapshot: Snapshot) -> ApplicableLabels:
    fitted = fit_to_collection(labels, frozenset(snapshot.ids))
    if not fitted.queries:
        raise QualityError(
            f"{collection} holds none of the pictures labelled in {labels.name} ({fitted.absent}): choose the "
            "collection that the labels were made for"
        )
    return fitted
