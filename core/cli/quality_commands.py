"""The commands about quality: evaluate a label set, compare runs, hold the gate, make label sets, zero-shot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from core.cli.progress_bar import ProgressBar
from core.errors import QualityError
from core.quality.evaluation import scores
from core.quality.label_sets import LabelSet, read_label_set, to_jsonl
from core.quality.run_documents import (
    comparison_document,
    difference_lines,
    evaluation_document,
    kind_lines,
    lift_line,
    score_lines,
    scores_document,
)
from core.quality.service import QualityService
from core.quality.weak_labels import WeakLabelLimits
from core.records.evaluations import EvaluationRun, RankerName
from core.settings import PROJECT

Finish = Callable[[argparse.ArgumentParser, Callable[[argparse.Namespace], int]], None]
EVAL = PROJECT / "data" / "eval"
DEMO = "demo"


def add_quality_commands(
    commands: Any, finish: Finish, open_desk: Callable[[str | None], QualityService], print_json: Callable[[Any], None]
) -> None:
    """Add the commands; `open_desk` opens the desk, its named collection ready to be searched."""
    desk = _Commands(open_desk, print_json)
    _add_evaluate(commands, finish, desk)
    compare = commands.add_parser(
        "compare", help="compare two evaluations", description="Compare two kept runs; without runs, list them."
    )
    compare.add_argument("runs", nargs="*", metavar="RUN", help="two runs, by number or name")
    finish(compare, desk.compare)
    validate = commands.add_parser(
        "validate",
        help="hold search quality against the recorded floor",
        description="Evaluate the committed label sets on the demo collection; exit code 1 under the floor.",
    )
    validate.add_argument("--labels", type=Path, default=EVAL, metavar="FOLDER", help="where label sets and floor lie")
    _collection(validate)
    finish(validate, desk.validate)
    judged = commands.add_parser(
        "judgements",
        help="export thumbs up and down as a label set",
        description="Write what people judged as a label set that `evaluate` reads.",
    )
    judged.add_argument("--output", type=Path, metavar="FILE", help="where it goes (default: standard output)")
    _collection(judged)
    finish(judged, desk.judgements)
    _add_weak_labels(commands, finish, desk)
    classify = commands.add_parser(
        "zero-shot",
        help="measure zero-shot accuracy on a labelled folder",
        description="Classify the pictures of a folder by the names of its sub-folders.",
    )
    classify.add_argument("folder", type=Path, metavar="FOLDER", help="a folder with one sub-folder per class")
    _collection(classify, "whose model classifies")
    finish(classify, desk.zero_shot)


def _add_evaluate(commands: Any, finish: Finish, desk: _Commands) -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure search quality on a label set",
        description="Ask every query of a label set and measure what comes back; the run is kept.",
    )
    parser.add_argument("labels", type=Path, metavar="LABELS", help="a label set, .jsonl")
    parser.add_argument(
        "--ranker", choices=get_args(RankerName), default="vector", help="whose order (default: vector; gemini costs)"
    )
    parser.add_argument("--save", default="", metavar="NAME", help="name the run, to find it again")
    parser.add_argument(
        "--record-floor", action="store_true", help="make this run the floor that `validate` holds, beside the labels"
    )
    _collection(parser)
    finish(parser, desk.evaluate)


def _add_weak_labels(commands: Any, finish: Finish, desk: _Commands) -> None:
    parser = commands.add_parser(
        "weak-labels",
        help="make a label set from what people downloaded",
        description="Write which photos of a collection people downloaded after which searches, as an Unsplash dataset "
        "tells it, as a label set that `evaluate` reads. A download says that a photo answers, not how well; photos "
        "that nobody downloaded count as not relevant, so figures on such labels are a lower bound.",
    )
    parser.add_argument("place", metavar="DIR|ZIP|URL", help="the dataset: a folder, a ZIP, or the address of a ZIP")
    parser.add_argument("--collection", required=True, metavar="NAME", help="the collection of its photos")
    least, what = WeakLabelLimits(), "default: %(default)s"
    parser.add_argument(
        "--downloads", type=_count, default=least.downloads, metavar="N", help=f"that make a photo an answer ({what})"
    )
    parser.add_argument(
        "--photos", type=_count, default=least.photos, metavar="N", help=f"that make a search a query ({what})"
    )
    parser.add_argument("--queries", type=_count, default=least.queries, metavar="N", help=f"at most so many ({what})")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where it goes (default: standard output)")
    finish(parser, desk.weak_labels)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


def _collection(parser: argparse.ArgumentParser, what: str = "the collection") -> None:
    parser.add_argument("--collection", default=DEMO, metavar="NAME", help=f"{what} (default: demo)")


class _Commands:
    def __init__(self, open_desk: Callable[[str | None], QualityService], print_json: Callable[[Any], None]) -> None:
        self._open, self._print_json = open_desk, print_json

    def evaluate(self, options: argparse.Namespace) -> int:
        labels = read_label_set(options.labels)
        desk = self._open(options.collection)
        with _bar() as bar:
            run = desk.evaluate(labels, options.collection, options.ranker, options.save, bar.show)
        run, tracked = desk.save(run)
        if options.record_floor:
            desk.record_floor(options.labels.parent, run)
        found = desk.lift(run) if options.ranker == "gemini" else None
        if options.json:
            self._print_json(evaluation_document(run, found))
        else:
            lines = [f"ranked {run.ranked_by}", *score_lines(scores(run.outcomes)), "", *kind_lines(run)]
            print("\n".join(lines if found is None else [*lines, lift_line(found)]))
        for line in [*_remarks(run), tracked]:
            if line:
                print(line, file=sys.stderr)
        return 0

    def compare(self, options: argparse.Namespace) -> int:
        desk = self._open(None)
        if not options.runs:
            return self._list(desk, options.json)
        if len(options.runs) != 2:
            raise QualityError(f"compare needs two runs, not {len(options.runs)}: compare 1 2")
        first, second = (int(text) if text.isdecimal() else text for text in options.runs)
        found = desk.compare(first, second)
        if options.json:
            self._print_json(comparison_document(found))
        else:
            for line in difference_lines(found):
                print(line)
        return 0

    def _list(self, desk: QualityService, as_json: bool) -> int:
        rows = desk.runs.latest()
        if as_json:
            self._print_json({"runs": [asdict(row) for row in rows]})
            return 0
        for row in rows:
            print(
                f"{row.id:>5}  {row.at:%Y-%m-%d %H:%M}  {row.labels}  {row.collection}  {row.ranked_by}  {row.model}  "
                f"{row.queries} queries  {row.name}".rstrip()
            )
        if not rows:
            print("no runs yet: python -m core evaluate data/eval/demo.jsonl", file=sys.stderr)
        return 0

    def validate(self, options: argparse.Namespace) -> int:
        desk = self._open(options.collection)
        with _bar() as bar:
            checked = desk.validate(options.labels, options.collection, bar.show)
        faults = [f"{c.labels}: {', '.join(c.faults)}" for c in checked if c.faults]
        if options.json:
            sets = [
                {"labels": c.labels, **scores_document(scores(c.run.outcomes)), "faults": c.faults} for c in checked
            ]
            self._print_json({"ok": not faults, "sets": sets})
        if faults:
            raise QualityError(f"search quality fell under the floor of {options.labels}: {'; '.join(faults)}")
        if not options.json:
            for c in checked:
                print(f"{c.labels}: {len(c.run.outcomes)} queries, no measure under its floor")
        return 0

    def judgements(self, options: argparse.Namespace) -> int:
        labels = self._open(None).judging.label_set(options.collection)
        self._export(labels, options)
        print(f"{len(labels.queries)} queries were judged in {options.collection}", file=sys.stderr)
        return 0

    def weak_labels(self, options: argparse.Namespace) -> int:
        least, desk = WeakLabelLimits(options.downloads, options.photos, options.queries), self._open(None)
        with _bar() as bar:
            labels = desk.weak_labels.label_set(options.place, options.collection, least, bar.show)
        self._export(labels, options)
        print(f"{len(labels.queries)} searches led to downloads of {options.collection}'s photos", file=sys.stderr)
        return 0

    def _export(self, labels: LabelSet, options: argparse.Namespace) -> None:
        text = to_jsonl(labels.queries)
        if options.output:
            options.output.write_text(text, encoding="utf-8")
        if options.json:
            self._print_json({"queries": [asdict(query) for query in labels.queries]})
        elif not options.output:
            sys.stdout.write(text)

    def zero_shot(self, options: argparse.Namespace) -> int:
        desk = self._open(options.collection)
        with _bar() as bar:
            found = desk.zero_shot(options.folder, options.collection, bar.show)
        if options.json:
            self._print_json(asdict(found))
            return 0
        for failure in found.failures:
            print(f"skipped  {failure.uri}: {failure.reason}", file=sys.stderr)
        print(f"{found.model}: {found.pictures} pictures of {found.classes} classes")
        for name, share in (("top-1", found.top1), ("top-5", found.top5)):
            print(f"{name}  {share.value:.3f}  ({share.low:.3f} to {share.high:.3f})")
        return 0


def _bar() -> AbstractContextManager[ProgressBar]:
    return ProgressBar(sys.stderr)


def _remarks(run: EvaluationRun) -> list[str]:
    """What of a label set or a ranking could not be had."""
    remarks = []
    if run.absent:
        remarks.append(f"labelled pictures that are not in {run.collection}: {run.absent}")
    if run.unanswerable:
        remarks.append(f"queries left out because {run.collection} has none of their pictures: {run.unanswerable}")
    if run.fallbacks:
        remarks.append(f"queries shown by similarity because Gemini gave no order: {run.fallbacks}")
    label = f"run {run.id} ({run.name})" if run.name else f"run {run.id}"
    return [*remarks, f"{label}: {len(run.outcomes)} queries in {run.seconds:.1f} s, ${run.usd:.4f}"]
