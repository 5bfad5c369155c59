"""Evaluations in the background of the server: one at a time, shared by all sessions."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from core.access import Action, Person
from core.app import App
from core.errors import ContactSheetError, QualityError
from core.logs import log
from core.quality.floor import FLOOR_FILE, read_floors
from core.quality.label_sets import EVAL_FOLDER, LabelSet, read_label_set
from core.records.evaluations import EvaluationRun, RankerName
from core.records.jobs import Cancelled, Progress
from core.text import counted


@dataclass(frozen=True)
class EvaluationRequest:
    """What to evaluate: the committed label set of this name or, if `labels` is empty, what people judged."""

    labels: str
    collection: str
    ranker: RankerName
    name: str = ""


@dataclass(frozen=True)
class EvaluationState:
    """The state of an evaluation: its progress and, once `done`, the id of its run or a message why there is none."""

    request: EvaluationRequest
    progress: Progress = Progress("", 0, 0)
    done: bool = False
    run: int | None = None
    message: str = ""


class EvaluationRunner:
    """Runs evaluations in a thread, so that no click or closed window interrupts one."""

    def __init__(self, app: App) -> None:
        self._app, self._lock, self._stop = app, threading.Lock(), threading.Event()
        self.latest: EvaluationState | None = None

    def start(self, person: Person, request: EvaluationRequest) -> None:
        """Start one. Raises NotAllowed, and QualityError if another one is running or there are no labels."""
        with self._app.access.acting(
            person, Action.EVALUATE, request.collection, request.labels or "what people judged"
        ):
            self._start(person, request)

    def _start(self, person: Person, request: EvaluationRequest) -> None:
        labels = load_labels(self._app, request)
        with self._lock:
            if self.latest is not None and not self.latest.done:
                raise QualityError("an evaluation is running: wait for it to end, or stop it")
            self.latest = EvaluationState(request)
            self._stop.clear()
        threading.Thread(target=self._run, args=(person, request, labels), name="evaluation", daemon=True).start()

    def stop(self, person: Person) -> None:
        """Cancel the running one; nothing of it is saved. Raises NotAllowed."""
        with self._app.access.acting(person, Action.STOP_EVALUATION):
            self._stop.set()

    def _run(self, person: Person, request: EvaluationRequest, labels: LabelSet) -> None:
        arguments = (person, labels, request.collection, request.ranker, request.name)
        self._finish(lambda: self._app.quality.save(self._app.quality.evaluate(*arguments, self._listen)))

    def _finish(self, evaluate: Callable[[], tuple[EvaluationRun, str]]) -> None:
        number, message = None, ""
        try:
            run, tracked = evaluate()
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
            raise Cancelled("stopped; nothing was saved")
        if self.latest is not None:
            self.latest = replace(self.latest, progress=progress)


def committed_label_sets() -> list[str]:
    """The label sets that come with the project: those with a quality floor."""
    return sorted({labels for labels, _ in read_floors(EVAL_FOLDER / FLOOR_FILE)})


def load_labels(app: App, request: EvaluationRequest) -> LabelSet:
    """The labels to evaluate with. Raises QualityError if they cannot be read, or nobody has judged anything yet."""
    if request.labels:
        return read_label_set(EVAL_FOLDER / request.labels)
    labels = app.quality.judging.label_set(request.collection)
    if not labels.queries:
        raise QualityError(f"nobody judged results of {request.collection} yet: give some thumbs on the Search page")
    return labels


def outcome_line(run: EvaluationRun) -> str:
    """One line: the run, and which labels or rankings were not available."""
    parts = [f"Run {run.id} is saved: {counted(len(run.outcomes), 'query', 'queries')} in {run.seconds:.1f} s"]
    if run.mock_server:
        parts.append(f"ranked {run.ranked_by}")
    if run.usd:
        parts.append(f"${run.usd:.4f}")
    if run.absent:
        parts.append(f"{counted(run.absent, 'labelled picture')} not in {run.collection}")
    if run.unanswerable:
        parts.append(f"{counted(run.unanswerable, 'query', 'queries')} left out for that")
    if run.fallbacks:
        parts.append(f"{counted(run.fallbacks, 'query', 'queries')} by similarity because Gemini gave no order")
    return " · ".join(parts)
