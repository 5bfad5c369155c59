"""The command that adds an Unsplash dataset to a collection."""

from __future__ import annotations

import sys

import click

from core.access import OPERATOR, Action
from core.cli.command_context import CommandContext, json_option, pass_context
from core.cli.output import print_report
from core.cli.progress_bar import ProgressBar
from core.records.audit import STARTED


@click.command("ingest-unsplash", short_help="Add an Unsplash dataset to a collection.")
@click.argument("dataset", metavar="DIR|ZIP|URL")
@click.option("--collection", required=True, metavar="NAME", help="The collection; created if it is new.")
@click.option("--width", default=640, show_default=True, metavar="PIXELS", help="Width of the downloaded pictures.")
@click.option("--limit", type=int, metavar="N", help="Only the first photos of the table.")
@click.option("--threads", default=16, show_default=True, metavar="N", help="Simultaneous downloads.")
@json_option
@pass_context
def ingest_unsplash(
    context: CommandContext,
    dataset: str,
    collection: str,
    width: int,
    limit: int | None,
    threads: int,
    as_json: bool,
) -> None:
    """Add the photos of an Unsplash dataset, with their metadata, to a collection.

    The dataset is a folder, a ZIP, or the address of a ZIP. What is there already is not downloaded again: run the
    command again after it was stopped.
    """
    from core.ingest.sources.unsplash import UnsplashOptions, count_by_reason

    selection = UnsplashOptions(width, limit, threads)
    app = context.open_app()
    app.audit.record(OPERATOR, Action.ADD_PICTURES.label, collection, "an Unsplash dataset", STARTED)
    with ProgressBar(sys.stderr) as bar:
        report = app.ingest_unsplash(dataset, collection, selection, bar.show)
    print_report(report, as_json)
    if report.failures and not as_json:
        print(f"left out: {count_by_reason(report.failures)}; run it again to try these once more")
