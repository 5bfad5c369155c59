"""The commands about quality: evaluate a label set, compare runs, validate, make label sets, zero-shot."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from core.access import OPERATOR, Action
from core.cli.command_context import (
    DEMO,
    FILE,
    CommandContext,
    collection_option,
    json_option,
    pass_context,
    required_collection_option,
)
from core.cli.output import print_json
from core.cli.progress_bar import ProgressBar
from core.disk import write_whole
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
from core.records.assets import shown_path
from core.records.audit import STARTED
from core.records.evaluations import EvaluationRun, RankerName
from core.text import counted

if TYPE_CHECKING:
    from core.app import App  # loads LanceDB: only commands that need it should wait for it


LIMITS = WeakLabelLimits()
COUNT = click.IntRange(min=1)


def _ready(context: CommandContext, collection: str) -> App:
    """The App, after the collection was made ready to be searched."""
    app = context.open_app()
    with ProgressBar(sys.stderr) as bar:
        if collection == DEMO:
            app.ensure_demo(bar.show)
        app.warm(collection, bar.show)
    return app


@click.command(short_help="Measure search quality on a label set.")
@click.argument("labels", type=FILE)
@click.option(
    "--ranker",
    type=click.Choice(get_args(RankerName)),
    default="both",
    show_default=True,
    help="What orders the results: pixels and words, pixels alone (vector), words alone, or Gemini, which costs money.",
)
@click.option("--save", "name", default="", metavar="NAME", help="Name the run, to find it again.")
@click.option("--record-floor", is_flag=True, help="Make this run the floor for `validate`, beside the labels.")
@collection_option()
@json_option
@pass_context
def evaluate(
    context: CommandContext,
    labels: Path,
    ranker: RankerName,
    name: str,
    record_floor: bool,
    collection: str,
    as_json: bool,
) -> None:
    """Measure search quality on a label set (.jsonl) and save the run."""
    label_set = read_label_set(labels)
    app = _ready(context, collection)
    app.audit.record(OPERATOR, Action.EVALUATE.label, collection, label_set.name, STARTED)
    quality = app.quality
    with ProgressBar(sys.stderr) as bar:
        run = quality.evaluate(OPERATOR, label_set, collection, ranker, name, bar.show)
    run, tracked = quality.save(run)
    if record_floor:
        quality.record_floor(labels.parent, run)
    found = quality.lift(run) if ranker == "gemini" else None
    if as_json:
        print_json(evaluation_document(run, found))
    else:
        lines = [f"ranked {run.ranked_by}", *score_lines(scores(run.outcomes)), "", *kind_lines(run)]
        print("\n".join(lines if found is None else [*lines, lift_line(found)]))
    for line in [*_remarks(run), tracked]:
        if line:
            print(line, file=sys.stderr)


@click.command(short_help="Compare two evaluations, or list them.")
@click.argument("runs", nargs=-1, metavar="[RUN RUN]")
@json_option
@pass_context
def compare(context: CommandContext, runs: tuple[str, ...], as_json: bool) -> None:
    """Compare two saved runs, by number or name; without runs, list them."""
    quality = context.open_app().quality
    if not runs:
        _list_runs(quality, as_json)
        return
    if len(runs) != 2:
        raise QualityError(f"compare needs two runs, not {len(runs)}: compare 1 2")
    first, second = (int(text) if text.isdecimal() else text for text in runs)
    found = quality.compare(first, second)
    if as_json:
        print_json(comparison_document(found))
    else:
        for line in difference_lines(found):
            print(line)


def _list_runs(quality: QualityService, as_json: bool) -> None:
    rows = quality.runs.latest()
    if as_json:
        print_json(run_list_document(rows))
        return
    for row in rows:
        print(
            f"{row.id:>5}  {row.at:%Y-%m-%d %H:%M}  {row.labels}  {row.collection}  {row.ranked_by}  {row.model}  "
            f"{counted(row.queries, 'query', 'queries')}  {row.name}".rstrip()
        )
    if not rows:
        print("no runs yet: python -m core evaluate data/eval/demo.jsonl", file=sys.stderr)


@click.command(short_help="Compare search quality with the recorded floor.")
@click.option(
    "--labels",
    type=FILE,
    default=EVAL_FOLDER,
    metavar="FOLDER",
    help="Label sets and their floor.  [default: data/eval]",
)
@collection_option()
@json_option
@pass_context
def validate(context: CommandContext, labels: Path, collection: str, as_json: bool) -> None:
    """Compare search quality with the recorded floor; exit code 1 if it fell below."""
    quality = _ready(context, collection).quality
    with ProgressBar(sys.stderr) as bar:
        checked = quality.validate(labels, collection, bar.show)
    faults = [f"{c.labels} {c.run.ranked_by}: {', '.join(c.faults)}" for c in checked if c.faults]
    if as_json:
        sets = [
            {"labels": c.labels, "ranker": c.run.ranker, **scores_document(scores(c.run.outcomes)), "faults": c.faults}
            for c in checked
        ]
        print_json({"ok": not faults, "sets": sets})
    if faults:
        raise QualityError(f"search quality fell under the floor of {labels}: {'; '.join(faults)}")
    if not as_json:
        for c in checked:
            queries = counted(len(c.run.outcomes), "query", "queries")
            print(f"{c.labels} {c.run.ranked_by}: {queries}, no measure under its floor")


@click.command(short_help="Export thumbs up and down as a label set.")
@click.option("--output", type=FILE, metavar="FILE", help="Where to write it.  [default: standard output]")
@collection_option()
@json_option
@pass_context
def judgements(context: CommandContext, output: Path | None, collection: str, as_json: bool) -> None:
    """Export thumbs up and down as a label set that `evaluate` reads."""
    labels = context.open_app().quality.judging.label_set(collection)
    _export(labels, output, as_json)
    judged = len(labels.queries)
    print(f"{counted(judged, 'query', 'queries')} with judgements in {collection}", file=sys.stderr)


@click.command("weak-labels", short_help="Make a label set from downloads.")
@click.argument("dataset", metavar="DIR|ZIP|URL")
@required_collection_option
@click.option(
    "--downloads",
    type=COUNT,
    default=LIMITS.downloads,
    show_default=True,
    metavar="N",
    help="Downloads that make a photo relevant.",
)
@click.option(
    "--photos",
    type=COUNT,
    default=LIMITS.photos,
    show_default=True,
    metavar="N",
    help="Relevant photos needed for a search to count as a query.",
)
@click.option(
    "--queries", type=COUNT, default=LIMITS.queries, show_default=True, metavar="N", help="Maximum number of queries."
)
@click.option("--output", type=FILE, metavar="FILE", help="Where to write it.  [default: standard output]")
@json_option
@pass_context
def weak_labels(
    context: CommandContext,
    dataset: str,
    collection: str,
    downloads: int,
    photos: int,
    queries: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Make a label set from what people downloaded after a search, as an Unsplash dataset records it.

    A download says that a photo is relevant, not how much; photos that nobody downloaded count as not relevant, so
    figures on such labels are a lower bound. The dataset is a folder, a ZIP, or the address of a ZIP.
    """
    limits, quality = WeakLabelLimits(downloads, photos, queries), context.open_app().quality
    with ProgressBar(sys.stderr) as bar:
        labels = quality.weak_labels.label_set(dataset, collection, limits, bar.show)
    _export(labels, output, as_json)
    searches = counted(len(labels.queries), "search", "searches")
    print(f"{searches} led to downloads of photos in {collection}", file=sys.stderr)


def _export(labels: LabelSet, output: Path | None, as_json: bool) -> None:
    text = to_jsonl(labels.queries)
    if output:
        write_whole(output, text.encode())
    if as_json:
        print_json({"queries": [asdict(query) for query in labels.queries]})
    elif not output:
        sys.stdout.write(text)


@click.command("zero-shot", short_help="Measure zero-shot accuracy on a labelled folder.")
@click.argument("folder", type=FILE)
@collection_option("The collection whose model classifies.")
@json_option
@pass_context
def zero_shot(context: CommandContext, folder: Path, collection: str, as_json: bool) -> None:
    """Measure zero-shot accuracy on a folder with one subfolder per class, named after it."""
    quality = _ready(context, collection).quality
    with ProgressBar(sys.stderr) as bar:
        found = quality.zero_shot(folder, collection, bar.show)
    if as_json:
        print_json(asdict(found))
        return
    for failure in found.failures:
        print(f"skipped  {shown_path(failure.uri)}: {failure.reason}", file=sys.stderr)
    print(f"{found.model}: {counted(found.pictures, 'picture')} of {counted(found.classes, 'class', 'classes')}")
    for name, share in (("top-1", found.top1), ("top-5", found.top5)):
        print(f"{name}  {share.value:.3f}  ({share.low:.3f} to {share.high:.3f})")


def _remarks(run: EvaluationRun) -> list[str]:
    """Notes on an evaluation: what was missing or left out, and what the run cost."""
    remarks = []
    if run.absent:
        remarks.append(f"labelled pictures that are not in {run.collection}: {run.absent}")
    if run.unanswerable:
        remarks.append(f"queries left out because {run.collection} has none of their pictures: {run.unanswerable}")
    if run.fallbacks:
        remarks.append(f"queries shown by similarity because Gemini did not rank them: {run.fallbacks}")
    label = f"run {run.id} ({run.name})" if run.name else f"run {run.id}"
    return [
        *remarks,
        f"{label}: {counted(len(run.outcomes), 'query', 'queries')} in {run.seconds:.1f} s, ${run.usd:.4f}",
    ]
