"""The commands about quality: evaluate a label set, compare runs, hold the gate, make label sets, zero-shot."""

from __future__ import annotations

import argparse
import sys
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from core.access import OPERATOR, Action
from core.cli.command_parser import DEMO, OpenApp, add_collection_option, finish_command
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.errors import QualityError
from core.quality.evaluation import scores
from core.quality.label_sets import EVAL_FOLDER, LabelSet, read_label_set, to_jsonl
from core.quality.run_documents import (
    comparison_document,
    difference_lines,
    evaluation_document,
    kind_lines,
    lift_line,
    run_list_document,
    score_lines,
    scores_document,
)
from core.quality.service import QualityService
from core.quality.weak_labels import WeakLabelLimits
from core.records.audit import STARTED
from core.records.evaluations import EvaluationRun, RankerName

if TYPE_CHECKING:
    from core.app import App  # loads LanceDB: only commands that need it should wait for it


def add_quality_commands(commands: Any, open_app: OpenApp) -> None:
    """Add the commands to the parser of all commands."""
    run = _QualityCommands(open_app)
    _add_evaluate(commands, run)
    compare = commands.add_parser(
        "compare", help="compare two evaluations", description="Compare two kept runs; without runs, list them."
    )
    compare.add_argument("runs", nargs="*", metavar="RUN", help="two runs, by number or name")
    finish_command(compare, run.compare)
    _add_validate(commands, run)
    judged = commands.add_parser(
        "judgements",
        help="export thumbs up and down as a label set",
        description="Write what people judged as a label set that `evaluate` reads.",
    )
    judged.add_argument("--output", type=Path, metavar="FILE", help="where it goes (default: standard output)")
    add_collection_option(judged)
    finish_command(judged, run.judgements)
    _add_weak_labels(commands, run)
    classify = commands.add_parser(
        "zero-shot",
        help="measure zero-shot accuracy on a labelled folder",
        description="Classify the pictures of a folder by the names of its sub-folders.",
    )
    classify.add_argument("folder", type=Path, metavar="FOLDER", help="a folder with one sub-folder per class")
    add_collection_option(classify, "whose model classifies")
    finish_command(classify, run.zero_shot)


def _add_validate(commands: Any, run: _QualityCommands) -> None:
    parser = commands.add_parser(
        "validate",
        help="hold search quality against the recorded floor",
        description="Evaluate the committed label sets on the demo collection; exit code 1 under the floor.",
    )
    help_text = "where label sets and floor lie"
    parser.add_argument("--labels", type=Path, default=EVAL_FOLDER, metavar="FOLDER", help=help_text)
    add_collection_option(parser)
    finish_command(parser, run.validate)


def _add_evaluate(commands: Any, run: _QualityCommands) -> None:
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
    add_collection_option(parser)
    finish_command(parser, run.evaluate)


def _add_weak_labels(commands: Any, run: _QualityCommands) -> None:
    parser = commands.add_parser(
        "weak-labels",
        help="make a label set from what people downloaded",
        description="Write which photos of a collection people downloaded after which searches, as an Unsplash dataset "
        "tells it, as a label set that `evaluate` reads. A download says that a photo answers, not how well; photos "
        "that nobody downloaded count as not relevant, so figures on such labels are a lower bound.",
    )
    parser.add_argument("dataset", metavar="DIR|ZIP|URL", help="the dataset: a folder, a ZIP, or the address of a ZIP")
    parser.add_argument("--collection", required=True, metavar="NAME", help="the collection of its photos")
    limits, default = WeakLabelLimits(), "default: %(default)s"
    parser.add_argument(
        "--downloads",
        type=_count,
        default=limits.downloads,
        metavar="N",
        help=f"that make a photo an answer ({default})",
    )
    parser.add_argument(
        "--photos", type=_count, default=limits.photos, metavar="N", help=f"that make a search a query ({default})"
    )
    parser.add_argument(
        "--queries", type=_count, default=limits.queries, metavar="N", help=f"at most so many ({default})"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="where it goes (default: standard output)")
    finish_command(parser, run.weak_labels)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not 1 or more")
    return number


class _QualityCommands:
    def __init__(self, open_app: OpenApp) -> None:
        self._open_app = open_app

    def _open(self, collection: str | None) -> QualityService:
        return self._ready(collection).quality

    def _ready(self, collection: str | None) -> App:
        """The App, after the named collection was made ready to be searched."""
        app = self._open_app()
        if collection is not None:
            with _progress_bar() as bar:
                if collection == DEMO:
                    app.ensure_demo(bar.show)
                app.warm(collection, bar.show)
        return app

    def evaluate(self, options: argparse.Namespace) -> int:
        labels = read_label_set(options.labels)
        app = self._ready(options.collection)
        app.audit.record(OPERATOR, Action.EVALUATE.label, options.collection, labels.name, STARTED)
        quality = app.quality
        with _progress_bar() as bar:
            run = quality.evaluate(OPERATOR, labels, options.collection, options.ranker, options.save, bar.show)
        run, tracked = quality.save(run)
        if options.record_floor:
            quality.record_floor(options.labels.parent, run)
        found = quality.lift(run) if options.ranker == "gemini" else None
        if options.json:
            print_json(evaluation_document(run, found))
        else:
            lines = [f"ranked {run.ranked_by}", *score_lines(scores(run.outcomes)), "", *kind_lines(run)]
            print("\n".join(lines if found is None else [*lines, lift_line(found)]))
        for line in [*_remarks(run), tracked]:
            if line:
                print(line, file=sys.stderr)
        return 0

    def compare(self, options: argparse.Namespace) -> int:
        quality = self._open(None)
        if not options.runs:
            return self._list(quality, options.json)
        if len(options.runs) != 2:
            raise QualityError(f"compare needs two runs, not {len(options.runs)}: compare 1 2")
        first, second = (int(text) if text.isdecimal() else text for text in options.runs)
        found = quality.compare(first, second)
        if options.json:
            print_json(comparison_document(found))
        else:
            for line in difference_lines(found):
                print(line)
        return 0

    def _list(self, quality: QualityService, as_json: bool) -> int:
        rows = quality.runs.latest()
        if as_json:
            print_json(run_list_document(rows))
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
        quality = self._open(options.collection)
        with _progress_bar() as bar:
            checked = quality.validate(options.labels, options.collection, bar.show)
        faults = [f"{c.labels}: {', '.join(c.faults)}" for c in checked if c.faults]
        if options.json:
            sets = [
                {"labels": c.labels, **scores_document(scores(c.run.outcomes)), "faults": c.faults} for c in checked
            ]
            print_json({"ok": not faults, "sets": sets})
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
        limits, quality = WeakLabelLimits(options.downloads, options.photos, options.queries), self._open(None)
        with _progress_bar() as bar:
            labels = quality.weak_labels.label_set(options.dataset, options.collection, limits, bar.show)
        self._export(labels, options)
        print(f"{len(labels.queries)} searches led to downloads of {options.collection}'s photos", file=sys.stderr)
        return 0

    def _export(self, labels: LabelSet, options: argparse.Namespace) -> None:
        text = to_jsonl(labels.queries)
        if options.output:
            options.output.write_text(text, encoding="utf-8")
        if options.json:
            print_json({"queries": [asdict(query) for query in labels.queries]})
        elif not options.output:
            sys.stdout.write(text)

    def zero_shot(self, options: argparse.Namespace) -> int:
        quality = self._open(options.collection)
        with _progress_bar() as bar:
            found = quality.zero_shot(options.folder, options.collection, bar.show)
        if options.json:
            print_json(asdict(found))
            return 0
        for failure in found.failures:
            print(f"skipped  {failure.uri}: {failure.reason}", file=sys.stderr)
        print(f"{found.model}: {found.pictures} pictures of {found.classes} classes")
        for name, share in (("top-1", found.top1), ("top-5", found.top5)):
            print(f"{name}  {share.value:.3f}  ({share.low:.3f} to {share.high:.3f})")
        return 0


def _progress_bar() -> AbstractContextManager[ProgressBar]:
    return ProgressBar(sys.stderr)


def _remarks(run: EvaluationRun) -> list[str]:
    """Notes on an evaluation: what was missing or left out, and what the run cost."""
    remarks = []
    if run.absent:
        remarks.append(f"labelled pictures that are not in {run.collection}: {run.absent}")
    if run.unanswerable:
        remarks.append(f"queries left out because {run.collection} has none of their pictures: {run.unanswerable}")
    if run.fallbacks:
        remarks.append(f"queries shown by similarity because Gemini gave no order: {run.fallbacks}")
    label = f"run {run.id} ({run.name})" if run.name else f"run {run.id}"
    return [*remarks, f"{label}: {len(run.outcomes)} queries in {run.seconds:.1f} s, ${run.usd:.4f}"]
