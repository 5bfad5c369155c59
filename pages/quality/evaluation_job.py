"""Evaluations in the background of a server: one at a time, for all who look."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.access import Person
from core.app import App
from core.errors import ContactSheetError, QualityError
from core.logs import log
from core.quality.floor import FILE, read_floors
from core.quality.label_sets import LabelSet, read_labels
from core.records.evaluations import EvaluationRun, RankerName
from core.records.jobs import Cancelled, Progress
from core.settings import PROJECT

START_EVALUATIONS = "start evaluations"
LABEL_SETS = PROJECT / "data" / "eval"


@dataclass(frozen=True)
class EvaluationRequest:
    """An evaluation somebody asked for: the committed label set of that name, or what was judged where it is empty."""

    labels: str
    collection: str
    ranker: RankerName
    name: str = ""


@dataclass(frozen=True)
class Evaluation:
    """An evaluation as it stands: how far it is; once `done`, the number it is kept under or why there is none."""

    wanted: EvaluationRequest
    progress: Progress = Progress("", 0, 0)
    done: bool = False
    run: int | None = None
    message: str = ""


class Evaluations:
    """Runs evaluations in a thread, so that no click and no closed window breaks one off."""

    def __init__(self, app: App) -> None:
        self._app, self._lock, self._stop = app, threading.Lock(), threading.Event()
        self.latest: Evaluation | None = None

    def start(self, person: Person, wanted: EvaluationRequest) -> None:
        """Begin one. Raises NotAllowed, and QualityError while another one runs or where there are no labels."""
        self._app.access.require_curator(person, START_EVALUATIONS)
        labels = load_labels(self._app, wanted)
        with self._lock:
            if self.latest is not None and not self.latest.done:
                raise QualityError("an evaluation is running: wait for its end, or stop it")
            self.latest = Evaluation(wanted)
            self._stop.clear()
        threading.Thread(target=self._run, args=(wanted, labels), name="evaluation", daemon=True).start()

    def stop(self, person: Person) -> None:
        """Ask the running one to end; nothing of it is kept. Raises NotAllowed."""
        self._app.access.require_curator(person, "stop evaluations")
        self._stop.set()

    def _run(self, wanted: EvaluationRequest, labels: LabelSet) -> None:
        how = (labels, wanted.collection, wanted.ranker, wanted.name)
        self._end(lambda: self._app.quality.keep(self._app.quality.evaluate(*how, self._listen)))

    def _end(self, work: Callable[[], tuple[EvaluationRun, str]]) -> None:
        number, message = None, ""
        try:
            run, tracked = work()
            number, message = run.id, " · ".join(filter(None, [outcome_line(run), tracked]))
        except ContactSheetError as error:
            message = str(error)
        except Exception as error:  # noqa: BLE001 - the page must say how the thread ended, whatever ended it
            log("pages", "evaluation failed", level=logging.ERROR, error=repr(error))
            message = f"the evaluation failed ({type(error).__name__}): see the log"
        if self.latest is not None:
            self.latest = replace(self.latest, done=True, run=number, message=message)

    def _listen(self, progress: Progress) -> None:
        if self._stop.is_set():
            raise Cancelled("stopped; nothing of it is kept")
        if self.latest is not None:
            self.latest = replace(self.latest, progress=progress)


def committed_label_sets() -> list[str]:
    """The label sets that come with the project: those that have a floor."""
    return sorted(read_floors(LABEL_SETS / FILE))


def load_labels(app: App, wanted: EvaluationRequest) -> LabelSet:
    """The labels of an evaluation. Raises QualityError if they cannot be read, or nobody judged anything yet."""
    if wanted.labels:
        return read_labels(LABEL_SETS / wanted.labels)
    found = app.quality.judging.label_set(wanted.collection)
    if not found.queries:
        raise QualityError(f"nobody judged results of {wanted.collection} yet: give some thumbs on the Search page")
    return found


def outcome_line(run: EvaluationRun) -> str:
    """One line: what an evaluation did, and what of the labels or the ranking could not be had."""
    parts = [f"Run {run.id} is kept: {len(run.outcomes)} queries in {run.seconds:.1f} s"]
    if run.stand_in:
        parts.append(f"ranked {run.ranked_by}")
    if run.usd:
        parts.append(f"${run.usd:.4f}")
    if run.absent:
        parts.append(f"{run.absent} labelled pictures are not in {run.collection}")
    if run.unanswerable:
        parts.append(f"{run.unanswerable} queries left out for that")
    if run.fallbacks:
        parts.append(f"{run.fallbacks} queries by similarity because Gemini gave no order")
    return " · ".join(parts)
