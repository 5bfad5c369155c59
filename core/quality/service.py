"""The quality desk: what a page or a command asks of evaluations, the gate and judging."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from core.embedding.encoder import Encoder
from core.errors import QualityError
from core.quality.blind import Pooled, pooled
from core.quality.comparison import Comparison, Lift, compare, lift
from core.quality.evaluation import evaluate
from core.quality.floor import FILE, Floor, below, check_labels, floor_of, read_floors, write_floor
from core.quality.judging import JudgingService
from core.quality.label_sets import LabelSet, fit, read_labels
from core.quality.mlflow_tracking import track
from core.quality.weak_labels import WeakLabels
from core.quality.zero_shot import Accuracy, labelled_folder, zero_shot
from core.records.evaluations import EvaluationRun, RankerName
from core.records.jobs import ProgressListener, ignore
from core.search.answer import Answer
from core.store.lance.snapshot import Snapshot
from core.store.sql.run_store import RunStore

Search = Callable[[str, str, bool], Answer]


@dataclass(frozen=True)
class GateResult:
    """One label set at the gate: the run and what of it is under the floor."""

    labels: str
    run: EvaluationRun
    faults: list[str]


class QualityService:
    """Evaluations of one installation. May be shared between threads."""

    def __init__(
        self,
        search: Search,
        snapshot: Callable[[str], Snapshot],
        encoder: Callable[[str], Encoder],
        runs: RunStore,
        judging: JudgingService,
        weak: WeakLabels,
        key_is_set: bool = True,
        stand_in: str = "",
        environ: Mapping[str, str] = os.environ,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`search(query, collection, ranked)` answers with ten pictures or more where there are so many; `snapshot` and
        `encoder` are those of a collection; `stand_in` is the host that it asks instead of Gemini, if it does.
        """
        self._search, self._snapshot, self._encoder = search, snapshot, encoder
        self.runs, self.judging, self.weak = runs, judging, weak
        self._key_is_set, self._stand_in, self._environ, self._now = key_is_set, stand_in, environ, now

    def evaluate(
        self,
        labels: LabelSet,
        collection: str,
        ranker: RankerName = "vector",
        name: str = "",
        listener: ProgressListener = ignore,
    ) -> EvaluationRun:
        """Ask a collection every query of a label set and measure what comes back; the run is not kept.

        Raises QualityError if the collection holds none of the pictures, CollectionError, ModelUnavailable.
        """
        snapshot, card = self._snapshot(collection), self._encoder(collection).card
        fitting = fit(labels, frozenset(snapshot.ids))
        if not fitting.queries:
            raise QualityError(
                f"{collection} holds none of the pictures that {labels.name} names ({fitting.absent}): choose the "
                "collection it was made for with --collection"
            )
        outcomes, seconds = evaluate(fitting, lambda text: self._search(text, collection, ranker == "gemini"), listener)
        ranked = any(outcome.ranking in ("ranked", "cached") for outcome in outcomes)
        return EvaluationRun(
            0,
            name,
            self._now(),
            card.name,
            card.checkpoint,
            collection,
            snapshot.version,
            ranker,
            labels.name,
            labels.digest,
            fitting.absent,
            fitting.unanswerable,
            seconds,
            outcomes,
            self._stand_in if ranked else "",
        )

    def keep(self, run: EvaluationRun) -> tuple[EvaluationRun, str]:
        """Keep a run and log it to MLflow where that is set up; what came of the latter, in one line or none.

        Raises QualityError if the run's name is taken.
        """
        kept = self.runs.keep(run)
        return kept, track(kept, self._environ)

    def lift(self, run: EvaluationRun) -> Lift:
        """What Gemini's order adds in a run, per dollar and per second; or why that was not measured."""
        return lift(run, self._key_is_set)

    def compare(self, first: int | str, second: int | str) -> Comparison:
        """Two kept runs, by number or name. Raises QualityError if one is missing or their label sets differ."""
        return compare(self.runs.get(first), self.runs.get(second))

    def record_floor(self, folder: Path, run: EvaluationRun) -> Floor:
        """Make a run's lower bounds the floor of its label set, in `folder`. Raises QualityError for a partial run."""
        if run.ranker != "vector" or run.absent:
            raise QualityError(
                f"a floor is recorded by similarity over a whole collection (ranker: {run.ranker}, pictures absent: "
                f"{run.absent}): evaluate with --ranker vector on the collection of the label set"
            )
        floor = floor_of(run)
        write_floor(folder / FILE, run.labels, floor)
        return floor

    def validate(self, folder: Path, collection: str, listener: ProgressListener = ignore) -> list[GateResult]:
        """Hold every label set that has a floor in `folder` against it.

        Raises QualityError if there is no floor, or a label set is not the one its floor was recorded for.
        """
        floors = read_floors(folder / FILE)
        if not floors:
            raise QualityError(f"{folder / FILE} holds no floor: run `python -m core evaluate FILE --record-floor`")
        checked = []
        for name, floor in sorted(floors.items()):
            labels = read_labels(folder / name)
            check_labels(floor, labels)
            run = self.evaluate(labels, collection, listener=listener)
            checked.append(GateResult(name, run, below(floor, run)))
        return checked

    def zero_shot(self, folder: Path, collection: str, listener: ProgressListener = ignore) -> Accuracy:
        """How well the collection's model tells the classes of a labelled folder apart. Raises QualityError."""
        labelled = labelled_folder(folder)
        return zero_shot(self._encoder(collection), labelled, listener)

    def blind(self, query: str, collection: str, depth: int, seed: str) -> tuple[Pooled, ...]:
        """The first `depth` pictures of Gemini's order and of the vector order in one shuffled list, to judge blind.

        Both orders come from one search. Raises QueryError, CollectionError, ModelUnavailable.
        """
        answer = self._search(query, collection, True)
        orders = {
            "gemini": [hit.asset.id for hit in answer.hits],
            "vector": [hit.asset.id for hit in answer.result.hits],
        }
        return pooled(orders, depth, seed)
