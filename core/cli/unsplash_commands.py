"""The command that adds an Unsplash dataset to a collection."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.cli.progress_bar import ProgressBar
from core.records.jobs import IngestReport

if TYPE_CHECKING:
    from core.app import App  # loads LanceDB: only commands that need it should wait for it

Finish = Callable[[argparse.ArgumentParser, Callable[[argparse.Namespace], int]], None]


def add_unsplash_command(
    commands: Any, finish: Finish, open_app: Callable[[], App], print_report: Callable[[IngestReport, bool], None]
) -> None:
    """Add the command to the parser of all commands."""
    parser = commands.add_parser(
        "ingest-unsplash",
        help="add an Unsplash dataset",
        description="Add the photos of an Unsplash dataset, with what its tables say about them, to a collection. "
        "What is there already is not downloaded again: run it again after it was stopped.",
    )
    parser.add_argument("place", metavar="DIR|ZIP|URL", help="the dataset: a folder, a ZIP, or the address of a ZIP")
    parser.add_argument("--collection", required=True, metavar="NAME", help="the collection; made if it is new")
    parser.add_argument("--width", type=int, default=640, metavar="PIXELS", help="of the pictures (default: 640)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first photos of the table")
    parser.add_argument("--threads", type=int, default=16, metavar="N", help="that download (default: 16)")
    finish(parser, lambda options: _ingest(options, open_app, print_report))


def _ingest(
    options: argparse.Namespace, open_app: Callable[[], App], print_report: Callable[[IngestReport, bool], None]
) -> int:
    from core.ingest.sources.unsplash import UnsplashOptions, causes

    wish = UnsplashOptions(options.width, options.limit, options.threads)
    with ProgressBar(sys.stderr) as bar:
        report = open_app().ingest_unsplash(options.place, options.collection, wish, bar.show)
    print_report(report, options.json)
    if report.failures and not options.json:
        print(f"left out: {causes(report.failures)}; run it again to try these once more")
    return 0
