"""The commands that fill collections and list them: ingest, demo, collections."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from core.access import OPERATOR, Action
from core.cli.command_context import DEMO, FILE, CommandContext, json_option, pass_context
from core.cli.output import print_json, print_report
from core.cli.progress_bar import ProgressBar
from core.records.assets import Collection
from core.records.audit import STARTED
from core.records.text_fit import TextFit


@click.command(short_help="Add images to a collection.")
@click.argument("path", type=FILE)
@click.option("--collection", required=True, metavar="NAME", help="The collection; created if it is new.")
@click.option("--captions", type=FILE, metavar="FILE", help="A table of descriptions, .csv, .tsv, .json or .jsonl.")
@click.option("--source", metavar="NAME", help="Where the images come from, to filter by.  [default: the folder]")
@click.option(
    "--exclude", multiple=True, metavar="PATTERN", help="Pass over files and folders of such names; repeatable."
)
@json_option
@pass_context
def ingest(
    context: CommandContext,
    path: Path,
    collection: str,
    captions: Path | None,
    source: str | None,
    exclude: tuple[str, ...],
    as_json: bool,
) -> None:
    """Add the images of a folder, or one image file, to a collection.

    Captions, source and patterns are remembered with the folder. A folder that was added before is brought up to date.
    """
    app = context.open_app()
    app.audit.record(OPERATOR, Action.ADD_PICTURES.label, collection, "a folder", STARTED)
    with ProgressBar(sys.stderr) as bar:
        report = app.ingest(path, collection, captions, source, bar.show, exclude=exclude or None)
    print_report(report, as_json)


@click.command()
@json_option
@pass_context
def demo(context: CommandContext, as_json: bool) -> None:
    """Build the demo collection, unless it is complete."""
    app = context.open_app()
    with ProgressBar(sys.stderr) as bar:
        report = app.ensure_demo(bar.show)
    if report is not None:  # only now it is known that there was something to add
        app.audit.record(OPERATOR, Action.ADD_PICTURES.label, DEMO, "the demo collection")
        print_report(report, as_json)
    elif as_json:
        print_json({"collection": DEMO, "added": 0})


@click.command()
@json_option
@pass_context
def collections(context: CommandContext, as_json: bool) -> None:
    """List the collections."""
    app = context.open_app()
    found, damaged = app.survey_collections()
    for collection in damaged:
        print(f"damaged: {collection.message}", file=sys.stderr)
    if as_json:
        print_json(
            {
                "collections": [_collection_document(c, app.searches.text_fit(c.name)) for c in found],
                "damaged": [vars(d) for d in damaged],
            }
        )
        return
    for c in found:
        print(f"{c.name:<24} {c.size:>8} pictures  {c.bytes_on_disk / 1e6:>9.1f} MB  {c.model.name}")
    if not found and not damaged:
        print("no collections yet: python -m core ingest FOLDER --collection NAME", file=sys.stderr)


def _collection_document(collection: Collection, text_fit: TextFit) -> dict[str, Any]:
    return {
        "name": collection.name,
        "model": vars(collection.model),
        "size": collection.size,
        "created_at": collection.created_at.isoformat(),
        "bytes_on_disk": collection.bytes_on_disk,
        "beside": collection.sibling_of,
        "text_fit": vars(text_fit) if text_fit.known else None,
    }
